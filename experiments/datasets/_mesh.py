"""MeSH headings of Open-i reports as concepts of the graph.

`openi_mesh.tsv` says which heading (optionally only beside a qualifier) means which concept. The
headings whose name is a label or synonym of a concept came by name; the rest were placed by hand
(`Aorta/tortuous` is a tortuous aorta). Headings without a clear concept are left out on purpose.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from encoders.study import Stated
from kg.model.graph import LabelSet

_SILENT = frozenset({"no indexing", "technical quality of image unsatisfactory", ""})


def concepts(paths: Iterable[str]) -> dict[str, Stated]:
    """Concepts that MeSH paths such as `Opacity/lung/base/left` code as present."""
    found: dict[str, Stated] = {}
    for path in paths:
        for concept in concepts_of(path):
            found[concept] = "present"
    return found


def concepts_of(path: str) -> tuple[str, ...]:
    """Concepts one MeSH path means: of its heading alone, and of heading and qualifiers."""
    heading, *qualifiers = (" ".join(step.split()).casefold() for step in path.split("/"))
    table = _table()
    found = [table.get((heading, qualifier)) for qualifier in ("", *qualifiers)]
    return tuple(dict.fromkeys(concept for concept in found if concept is not None))


def label_set(*, headings: bool = False) -> LabelSet:
    """The concepts MeSH headings mean, as a label set.

    Args:
        headings: Whether its columns are called by heading (`Aorta/tortuous`) and not by concept.
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


def _title(path: tuple[str, str]) -> str:
    """A heading as the indexers write it, with its qualifier."""
    heading, qualifier = path
    return f"{heading.title()}/{qualifier}" if qualifier else heading.title()


def says_nothing(path: str) -> bool:
    """Whether a path speaks of the indexing or the picture's quality rather than the patient."""
    return path.strip().casefold() in _SILENT


@cache
def _table() -> dict[tuple[str, str], str]:
    path = Path(__file__).with_name("openi_mesh.tsv")
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            (row["heading"].casefold(), row["qualifier"].casefold()): row["concept"]
            for row in csv.DictReader(lines, delimiter="\t")
        }
