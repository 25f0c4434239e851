"""CheXpert-14 labelers scored by kind of label: mention, negation, uncertainty and presence.

The reference are readings by hand (`annotated/openi_reports.tsv`, development reports alone) or the
labels of CheXpert's rules, which are no truth but are there for every report. `No Finding` follows
from the others and is not scored.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rival_labelers import CheXpertRules, NegSpacy

from encoders.study import Passage
from experiments.datasets._label_columns import CHEXPERT14
from experiments.labelling.agreement import KINDS, Agreement, agreements
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

ANNOTATED = Path(__file__).parent / "annotated"
SCORED = [column for column in CHEXPERT14 if column != "No Finding"]
SAID = {"present": 1, "absent": 0, "uncertain": -1}
RULES = "CheXpert rules"

Values = Mapping[str, int | None]
Texts = Mapping[str, str]
Labelers = Mapping[str, Callable[[Texts], Values]]


def labelers(phrases: Path) -> dict[str, Callable[[Texts], Values]]:
    """Each labeler as a function of a report's sections."""
    graph = load_shipped()
    linker, chexpert, spacy = MentionLinker(graph), labeler(graph, "chexpert14"), NegSpacy(graph)
    rules = CheXpertRules(phrases, nih=False)
    negbio = labeler(graph, "chexpert14_negbio")

    def stated(texts: Texts) -> list[Statement]:
        return linker.link([Passage(name, text) for name, text in texts.items()])

    return {
        "kgdx": lambda t: chexpert.label(stated(t)),
        "kgdx, NegBio's columns": lambda t: negbio.label(stated(t)),
        RULES: lambda t: rules.label(list(t.values())),
        "negspacy on our lexicon": lambda t: chexpert.label(spacy.link(list(t.values()))),
    }


def read_by_hand() -> dict[str, dict[str, str]]:
    """What was read of each report, label by label."""
    found: dict[str, dict[str, str]] = {}
    with (ANNOTATED / "openi_reports.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            found.setdefault(row["study"], {})[row["label"]] = row["said"]
    return found


def by_hand(label: Callable[[Texts], Values], reports: Mapping[str, Texts]) -> list[Agreement]:
    """Agreement of each kind with the readings by hand; what these leave out is not scored."""
    pairs = []
    for study, read in read_by_hand().items():
        said = {column: read.get(column) for column in SCORED}
        given = {
            column: SAID[value] if value else None
            for column, value in said.items()
            if value != "not scored"
        }
        pairs.append((label(reports[study]), given))
    return agreements(pairs, SCORED)


def three_rows(scored: Mapping[str, Sequence[Agreement]], labels: str) -> Iterable[str]:
    """Markdown: micro and macro F1 of each kind, as MIMIC-CXR-JPG prints them."""
    yield f"| F1 | {labels} | " + " | ".join(f"{n}: micro / macro" for n in scored) + " |"
    yield "|---|---|" + "---|" * len(scored)
    for place, kind in enumerate(KINDS):
        found = [agreement[place] for agreement in scored.values()]
        cells = " | ".join(f"{one.micro.f1:.3f} / {one.macro_f1:.3f}" for one in found)
        findings = len(found[0].scored)
        yield f"| {kind} | {found[0].micro.given} of {findings} findings | {cells} |"


def kinds_of(reports: Mapping[str, Texts], systems: Labelers) -> Iterable[str]:
    """Markdown: the rows against readings by hand, if there are any, and against the rules."""
    if set(read_by_hand()) <= set(reports):
        yield f"Against {len(read_by_hand())} reports of this part labelled by hand, CheXpert-14:"
        yield ""
        hand = {name: by_hand(label, reports) for name, label in systems.items()}
        yield from three_rows(hand, "labels by hand")
    else:
        yield "No report of this part was labelled by hand with mention, negation and uncertainty."
    given = [systems[RULES](texts) for texts in reports.values()]
    scored = {
        name: agreements(
            [(label(texts), rules) for texts, rules in zip(reports.values(), given, strict=True)],
            SCORED,
        )
        for name, label in systems.items()
        if name != RULES
    }
    yield from ("", "Agreement with the labels of CheXpert's rules, which are no truth:", "")
    yield from three_rows(scored, "labels of the rules")
