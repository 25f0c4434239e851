"""MeSH headings of Open-i reports as concepts of the graph.

`openi_mesh.tsv` maps headings (optionally with a qualifier) to concepts. The
headings whose name is a label or synonym of a concept came by name; the rest were placed by hand
(`Aorta/tortuous` is a tortuous aorta). Headings without a clear concept are left out on purpose.

`openi_mesh_steps.tsv` gives the body parts and attributes: steps of a path that mean the same in
every path (`lung`, `left`, `mild`). 43 of them are a label or synonym of a concept, 14 were placed
by hand. Of the steps in 20 or more development studies, `scattered`, `streaky`, `posterior`,
`anterior`, `borderline` and `healed` have no concept; `tortuous`, `prominent`, `enlarged`,
`elevated`, `blunted`, `flattened` and `bronchovascular` have one only beside some headings, which
`openi_mesh.tsv` lists.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from encoders.study import Stated
from kg.model.graph import LabelSet

EDEMA = ("ckg:no_finding", "ckg:pulmonary_vascular_congestion", "ckg:pulmonary_edema")
"""Grades of pulmonary edema, lowest first; `no_finding` is that neither other is coded."""

_SILENT = frozenset({"no indexing", "technical quality of image unsatisfactory", ""})


def concepts(paths: Iterable[str], *, full: bool = False) -> dict[str, Stated]:
    """Concepts that MeSH paths such as `Opacity/lung/base/left` code as present.

    Args:
        paths: The paths of a report.
        full: Whether body parts and attributes count as well as findings.
    """
    found: dict[str, Stated] = {}
    for path in paths:
        for concept in (*concepts_of(path), *(steps_of(path) if full else ())):
            found[concept] = "present"
    return found


def concepts_of(path: str) -> tuple[str, ...]:
    """Concepts of one MeSH path: of its heading alone, and of heading and qualifiers."""
    heading, *qualifiers = _split(path)
    table = _table()
    found = [table.get((heading, qualifier)) for qualifier in ("", *qualifiers)]
    return tuple(dict.fromkeys(concept for concept in found if concept is not None))


def steps_of(path: str) -> tuple[str, ...]:
    """Body parts and attributes named by one MeSH path, at any position."""
    found = [_steps().get(step) for step in _split(path)]
    return tuple(dict.fromkeys(concept for concept in found if concept is not None))


def full_label_set() -> LabelSet:
    """The concepts of headings, body parts and attributes, as a label set."""
    of_headings = label_set()
    concepts = tuple(sorted({*of_headings.findings, *_steps().values()}))
    return replace(of_headings, name="mesh_full", findings=concepts, columns=concepts)


def label_set(*, headings: bool = False) -> LabelSet:
    """The concepts of MeSH headings, as a label set.

    Args:
        headings: True if its columns are named by heading (`Aorta/tortuous`), not by concept.
    """
    plain_first = sorted(_table().items(), key=lambda row: row[0][1] != "")
    written = {concept: _title(path) for path, concept in reversed(plain_first)}
    concepts = tuple(sorted(written))
    return LabelSet(
        name="mesh",
        concept="ckg:label_set_openi_mesh",
        findings=concepts,
        columns=tuple(written[c] for c in concepts) if headings else concepts,
        no_finding="ckg:no_finding",
    )


def edema(paths: Iterable[str]) -> dict[str, Stated]:
    """The grade of pulmonary edema that MeSH paths code: the highest, the others absent."""
    coded = concepts(paths)
    grade = next((concept for concept in reversed(EDEMA) if concept in coded), EDEMA[0])
    return {concept: "present" if concept == grade else "absent" for concept in EDEMA}


def edema_label_set() -> LabelSet:
    """The grades of pulmonary edema, as a label set."""
    return replace(label_set(), name="edema", findings=EDEMA, columns=EDEMA, exclusive=True)


def _title(path: tuple[str, str]) -> str:
    """A heading as the indexers write it, with its qualifier."""
    heading, qualifier = path
    return f"{heading.title()}/{qualifier}" if qualifier else heading.title()


def says_nothing(path: str) -> bool:
    """True if a path is about the indexing or the image quality rather than the patient."""
    return path.strip().casefold() in _SILENT


def _split(path: str) -> list[str]:
    """The steps of a path, heading first."""
    return [" ".join(step.split()).casefold() for step in path.split("/")]


@cache
def _table() -> dict[tuple[str, str], str]:
    return {
        (row["heading"].casefold(), row["qualifier"].casefold()): row["concept"]
        for row in _rows("openi_mesh.tsv")
    }


@cache
def _steps() -> dict[str, str]:
    return {row["step"]: row["concept"] for row in _rows("openi_mesh_steps.tsv")}


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))
