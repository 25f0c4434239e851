"""Spanish reports of PadChest: read labels beside its physicians', and what redaction leaves.

Not part of the default suite. Writes a table into `results`:

    python tests/benchmarks/spanish_reports.py --root ../shared/data
    python tests/benchmarks/spanish_reports.py --root ../shared/data --held-back --why "..."

The lexicon was written on nine tenths of the patients. The last tenth, by the hash of the patient,
is opened once, when it is final; each use is a line of the ledger. The model's labels are not read.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gzip
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from report_labels import RESULTS, head_of_committed_rules, tables_hash
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from encoders.study import Study
from experiments.datasets._padchest_labels import concepts
from experiments.datasets.padchest import PadChest
from experiments.labelling.agreement import Counts, agreements
from experiments.labelling.reports import labelled_reports
from experiments.records.ledger import note_use
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker
from kg.mentions.redact import redact
from kg.model.graph import KnowledgeGraph

SETS = ("padchest", "padchest_differential")
UNSCORED = frozenset({"ckg:no_finding", "ckg:excluded_study"})
BY_SENTENCE = "LabelsLocalizationsBySentence"
FEWEST = 10
"""Positives below which a label is not in the macro average, nor probed."""
PROBED = 6000


def is_held_back(patient: str) -> bool:
    """Whether a patient is in the tenth no rule was written on."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) / 2**32 < 0.1


def studies_of(root: Path) -> list[Study]:
    """Every study with a report and a physician's labels."""
    dataset = PadChest(PadChest.Options(pictures="optional", labels_by="physician"))
    read = dataset.read(root / "padchest_labels", labels="padchest").studies
    return [study for study in read if study.report and study.stated]


def counts_by_label(
    studies: Sequence[Study], graph: KnowledgeGraph, linker: MentionLinker
) -> dict[str, Counts]:
    """Hits and misses of each label of both sets; the column for a normal study is apart."""
    found: dict[str, Counts] = {}
    for name in SETS:
        reads = labeler(graph, name)
        findings = dict(zip(reads.columns, reads.label_set.findings, strict=True))
        columns = [c for c in reads.columns if findings[c] not in UNSCORED]
        pairs = labelled_reports(reads, linker, studies, "findings_impression")
        found |= agreements(pairs, columns, ("presence",))[0].columns
    return found


def summary(counts: Mapping[str, Counts]) -> Iterator[str]:
    """Markdown: micro and macro, then each label with enough positives."""
    total = Counts(
        sum(one.both for one in counts.values()),
        sum(one.read_alone for one in counts.values()),
        sum(one.given_alone for one in counts.values()),
    )
    often = {label: one for label, one in counts.items() if one.given >= FEWEST}
    macro = np.mean([one.f1 for one in often.values()])
    yield "| labels | precision | recall | micro F1 | macro F1 | labels in macro |"
    yield "|---|---|---|---|---|---|"
    yield (
        f"| {total.given} | {total.precision:.3f} | {total.recall:.3f} | {total.f1:.3f} "
        f"| {macro:.3f} | {len(often)} |"
    )
    yield ""
    yield "| label | positives | precision | recall | F1 |"
    yield "|---|---|---|---|---|"
    for label, one in sorted(often.items(), key=lambda pair: -pair[1].given):
        cells = " | ".join(f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        yield f"| {label} | {one.given} | {cells} |"


def sides(root: Path, studies: Sequence[Study], linker: MentionLinker) -> Iterator[str]:
    """Markdown: the side of a finding, where a physician's sentence names it alone and once."""
    reports = {study.study: study.report for study in studies}
    counts = Counts()
    for study, given in _given_sides(root / "padchest_labels").items():
        read: dict[str, set[str]] = {}
        for one in linker.link(reports.get(study, ())):
            if one.assertion != "absent":
                read.setdefault(one.concept, set()).add(one.side)
        for concept in set(given) & set(read):
            if len(given[concept]) == len(read[concept]) == 1:
                (theirs,), (ours,) = given[concept], read[concept]
                counts.both += bool(theirs) and ours == theirs
                counts.read_alone += bool(ours) and ours != theirs
                counts.given_alone += bool(theirs) and ours != theirs
    yield (
        f"Side (left, right or bilateral) of findings that are read and labelled: F1 "
        f"{counts.f1:.3f}, precision {counts.precision:.3f}, recall {counts.recall:.3f} of "
        f"{counts.given} sides; physicians leave out many that are named (`ambos`, `biapical`)."
    )


def _given_sides(folder: Path) -> dict[str, dict[str, set[str]]]:
    """Sides a physician located each finding at, by study; empty where at none."""
    (path,) = folder.glob("PADCHEST_*.csv.gz")
    found: dict[str, dict[str, set[str]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for sentence in ast.literal_eval(row[BY_SENTENCE].replace("nan", "[]")):
                names = [name.strip() for name in sentence]
                labels = [name for name in names if not name.startswith("loc ")]
                places = {
                    word for name in names if name.startswith("loc ") for word in name.split()
                }
                where = places & {"left", "right", "bilateral"}
                side = where.pop() if len(where) == 1 else "bilateral" if where else ""
                if len(labels) == 1 and concepts().get(labels[0]):
                    of_study = found.setdefault(row["StudyID"], {})
                    of_study.setdefault(concepts()[labels[0]], set()).add(side)
    return found


def redaction(
    studies: Sequence[Study], graph: KnowledgeGraph, linker: MentionLinker
) -> Iterator[str]:
    """Markdown: how well TF-IDF tells the labels from whole and from redacted reports."""
    findings = {f for name in SETS for f in graph.label_set(name).findings} - UNSCORED
    asked = findings.union(*(graph.descendants(one) for one in findings))
    order = sorted(studies, key=lambda s: hashlib.sha256(s.study.encode()).hexdigest())[:PROBED]
    whole = [" ".join(passage.text for passage in study.report) for study in order]
    cut = [
        " ".join(p.text for p in redact(study.report, linker.link(study.report), asked))
        for study in order
    ]
    labels = np.array([[s.stated.get(f) == "present" for f in sorted(findings)] for s in order])
    half = len(order) // 2
    often = [c for c in range(labels.shape[1]) if labels[half:, c].sum() >= 2 * FEWEST]
    left = sum(map(len, cut)) / sum(map(len, whole))
    yield (
        f"TF-IDF and logistic regression, trained on half of {len(order)} development studies and "
        f"tested on the other, macro AUROC of {len(often)} labels: "
        f"{_auroc(whole, labels, often, half):.3f} from whole reports, "
        f"{_auroc(cut, labels, often, half):.3f} after every sentence on any label was cut "
        f"({left:.0%} of the characters are left)."
    )


def _auroc(texts: Sequence[str], labels: np.ndarray, often: Sequence[int], half: int) -> float:
    """Macro AUROC of the labels on the second half."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    words.fit(texts[:half])
    rows = words.transform(texts)
    scores = []
    for column in often:
        model = LogisticRegression(C=10, max_iter=200).fit(rows[:half], labels[:half, column])
        scores.append(roc_auc_score(labels[half:, column], model.predict_proba(rows[half:])[:, 1]))
    return float(np.mean(scores))


def main() -> None:
    """Score one part and write the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", type=Path, required=True)
    asked.add_argument("--held-back", action="store_true")
    asked.add_argument("--why", default="")
    chosen = asked.parse_args()
    studies = [s for s in studies_of(chosen.root) if is_held_back(s.patient) == chosen.held_back]
    if chosen.held_back:
        note(studies, chosen.why)
    graph = load_shipped()
    linker = MentionLinker(graph)
    start = time.process_time()
    counts = counts_by_label(studies, graph, linker)
    seconds = time.process_time() - start
    part = "held-back tenth of the patients" if chosen.held_back else "development part"
    patients = len({study.patient for study in studies})
    lines = [
        f"# Spanish reports of PadChest: {part}",
        "",
        f"{len(studies)} reports of {patients} patients, stemmed Spanish, against the labels of "
        "physicians: what is named and not denied is present. `normal` and `exclude` are not "
        f"scored; macro over labels with {FEWEST} or more positives. Each report is read twice, "
        f"once for a label set: {2 * len(studies) / seconds:.0f} readings a second of one core.",
        "",
        *summary(counts),
        "",
        *(
            []
            if chosen.held_back
            else [
                *sides(chosen.root, studies, linker),
                "",
                *redaction(studies, graph, linker),
            ]
        ),
    ]
    name = "spanish_reports_held_back.md" if chosen.held_back else "spanish_reports.md"
    text = "\n".join(lines).rstrip("\n") + "\n"
    (RESULTS / name).write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


def note(studies: Sequence[Study], why: str) -> None:
    """Note the opening of the held-back tenth in the ledger; only with committed rules."""
    names = "\n".join(sorted(study.study for study in studies))
    note_use(
        RESULTS,
        {
            "run": f"spanish_reports at {head_of_committed_rules()}",
            "config_hash": tables_hash(),
            "dataset": "padchest",
            "labels": "padchest",
            "manifest": hashlib.sha256(names.encode()).hexdigest(),
            "why": why,
        },
    )


if __name__ == "__main__":
    main()
