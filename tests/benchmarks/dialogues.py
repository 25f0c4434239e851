"""Score the mention linker on the 100 consultations of COVID-Dialogue annotated by reading.

python tests/benchmarks/dialogues.py --root ../shared/data

Rules of annotation and of scoring: `tests/benchmarks/annotated/README.md`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from encoders.reading.dialogue import Consultation, read_consultations
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

ANNOTATED = Path(__file__).parent / "annotated"

KINDS = frozenset(
    {
        *("symptom", "disease", "finding", "lab_sign", "complication", "comorbidity"),
        *("risk_factor", "exposure"),
    }
)
"""Kinds of concepts that were annotated."""

SAME = {
    "ckg:body_ache": "ckg:myalgia",
    "ckg:pharynx_inflammation": "ckg:pharyngitis",
    "ckg:vertigo": "ckg:dizziness",
    "ckg:chest_discomfort": "ckg:chest_tightness",
    "ckg:breathing_problems": "ckg:dyspnea",
    "ckg:coronavirus_infectious_disease": "ckg:covid_19",
    "ckg:sars_cov_2": "ckg:covid_19",
}
"""Concepts the graph has twice."""

ASSERTIONS = ("present", "absent", "uncertain")


@dataclass(frozen=True)
class Annotated:
    """One annotated mention; `about` is the patient, another person or nobody in particular."""

    passage: int
    start: int
    end: int
    concept: str
    assertion: str
    about: str

    def fits(self, statement: Statement) -> bool:
        """Whether a statement speaks of this concept at this place."""
        return (
            self.passage == statement.passage
            and self.start < statement.end
            and statement.start < self.end
            and SAME.get(statement.concept, statement.concept) == self.concept
        )


@dataclass
class Counts:
    """What was found over a set of consultations."""

    statements: int = 0
    on_mention: int = 0
    mentions: int = 0
    found: int = 0
    right: int = 0
    asserted: dict[str, list[int]] = field(
        default_factory=lambda: {a: [0, 0, 0] for a in ASSERTIONS}
    )
    """By assertion: true statements, all statements that count, annotated mentions."""

    def row(self) -> list[str]:
        """Mention precision and recall, assertion accuracy, statement precision, recall and F1."""
        true, stated, annotated = (
            sum(one[place] for one in self.asserted.values()) for place in range(3)
        )
        return [
            _share(self.on_mention, self.statements),
            _share(self.found, self.mentions),
            _share(self.right, self.found),
            *_scores(true, stated, annotated),
        ]

    def add(self, annotated: Sequence[Annotated], statements: Sequence[Statement]) -> None:
        """Count one consultation."""
        of_patient = [mention for mention in annotated if mention.about == "patient"]
        self.statements += len(statements)
        self.mentions += len(of_patient)
        for mention in of_patient:
            fitting = {s.assertion for s in statements if mention.fits(s)}
            self.found += bool(fitting)
            self.right += mention.assertion in fitting
            self.asserted[mention.assertion][2] += 1
        for statement in statements:
            fitting = [mention for mention in annotated if mention.fits(statement)]
            self.on_mention += bool(fitting)
            said = {mention.assertion for mention in fitting if mention.about == "patient"}
            if fitting and not said and statement.assertion == "uncertain":
                continue
            self.asserted[statement.assertion][0] += statement.assertion in said
            self.asserted[statement.assertion][1] += 1


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part}/{whole})" if whole else "n/a"


def _scores(true: int, stated: int, annotated: int) -> list[str]:
    f1 = 2 * true / (stated + annotated) if stated + annotated else 0.0
    return [_share(true, stated), _share(true, annotated), f"{f1:.3f}"]


def annotated_mentions() -> dict[str, list[Annotated]]:
    """The annotated mentions by consultation; equal concepts are written as one."""
    found: dict[str, list[Annotated]] = {}
    for row in _table("covid_dialogue.tsv"):
        found.setdefault(row["dialogue"], []).append(
            Annotated(
                passage=int(row["passage"]),
                start=int(row["start"]),
                end=int(row["end"]),
                concept=SAME.get(row["concept"], row["concept"]),
                assertion=row["assertion"],
                about=row["about"],
            )
        )
    return found


def chosen_consultations(file: Path) -> dict[str, tuple[str, Consultation]]:
    """The consultations chosen, by id, each with its half; their texts must be those annotated."""
    by_id = {one.id: one for one in read_consultations(file)}
    chosen = {}
    for row in _table("covid_dialogue_texts.tsv"):
        consultation = by_id[row["dialogue"]]
        text = "\n".join(passage.text for passage in consultation.passages)
        if hashlib.sha256(text.encode()).hexdigest() != row["text_sha256"]:
            raise SystemExit(f"consultation {consultation.id}: not the text that was annotated")
        chosen[consultation.id] = (row["half"], consultation)
    return chosen


def counted(
    consultation: Consultation, statements: Iterable[Statement], annotated: Sequence[Annotated]
) -> list[Statement]:
    """Statements without those of a repeated description or of a disease an exposure names."""
    passages = consultation.passages
    repeated = len(passages) > 1 and passages[0].text == passages[1].text
    exposures = [m for m in annotated if m.concept in EXPOSURES]
    return [
        s
        for s in statements
        if not (repeated and s.passage == 0)
        and not (
            SAME.get(s.concept, s.concept) == "ckg:covid_19"
            and any(m.passage == s.passage and m.start <= s.start < m.end for m in exposures)
        )
    ]


EXPOSURES = frozenset({"ckg:contact_with_confirmed_covid_19_case", "ckg:travel_to_epidemic_area"})


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((ANNOTATED / name).read_text().splitlines(), delimiter="\t"))


def measure(file: Path) -> dict[str, Counts]:
    """Counts of each half."""
    graph = load_shipped()
    kinds = {concept.id: concept.kind for concept in graph.concepts}
    linker = MentionLinker(graph)
    annotated = annotated_mentions()
    counts = {"tune": Counts(), "test": Counts()}
    for number, (half, consultation) in chosen_consultations(file).items():
        mentions = annotated.get(number, [])
        statements = [s for s in linker.link(consultation.passages) if kinds[s.concept] in KINDS]
        counts[half].add(mentions, counted(consultation, statements, mentions))
    return counts


def table(counts: dict[str, Counts]) -> str:
    """The result as Markdown."""
    head = ["half", "mention P", "mention R", "assertion", "statement P", "statement R", "F1"]
    lines = [head, ["---"] * len(head), *([half, *c.row()] for half, c in counts.items())]
    by_assertion = [["half", "assertion", "P", "R", "F1"], ["---"] * 5] + [
        [half, assertion, *_scores(*c.asserted[assertion])]
        for half, c in counts.items()
        for assertion in ASSERTIONS
    ]
    return "\n\n".join(
        "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
        for rows in (lines, by_assertion)
    )


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    given = parser.parse_args()
    file = given.root / "covid_dialogue" / "COVID-Dialogue-Dataset-English.txt"
    sys.stdout.write(table(measure(file)) + "\n")


if __name__ == "__main__":
    main()
