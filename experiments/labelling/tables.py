"""Rows of statements and label tables of many texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from experiments.datasets import _mesh as mesh
from experiments.datasets._padchest_labels import named_as_published
from experiments.labelling.texts import LabelText
from kg.files.shown import table_text
from kg.mentions.labels import STYLES, Labeler, Style, labeler
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph

__all__ = [
    "LABEL_TABLES",
    "STATEMENT_COLUMNS",
    "Record",
    "label_rows",
    "statement_rows",
    "table_columns",
    "written",
]

Linked = Iterable[tuple[LabelText, Sequence[Statement]]]
Record = Mapping[str, object]

LABEL_TABLES = (*STYLES, "mesh")
"""Label sets of label tables."""


STATEMENT_COLUMNS = (
    *("id", "passage", "section", "start", "end", "text", "concept", "label", "assertion"),
    *("rule", "sites", "side", "severity", "change"),
)


def statement_rows(linked: Linked, graph: KnowledgeGraph) -> list[dict[str, object]]:
    """One row per statement; `start` and `end` are character offsets in its section."""
    return [
        {
            "id": text.id,
            "passage": one.passage,
            "section": one.part,
            "start": one.start,
            "end": one.end,
            "text": text.passages[one.passage].text[one.start : one.end],
            "concept": one.concept,
            "label": graph.concept(one.concept).label,
            "assertion": one.assertion,
            "rule": one.rule,
            "sites": list(one.sites),
            "side": one.side,
            "severity": one.severity,
            "change": one.change,
        }
        for text, statements in linked
        for one in statements
    ]


def label_rows(linked: Linked, graph: KnowledgeGraph, name: str) -> list[dict[str, object]]:
    """One row per text with a value per label; all None for an empty text."""
    labels = _labeler(graph, name)
    blank = dict.fromkeys(labels.columns)
    return [
        {"id": text.id, **(labels.label(statements) if text.passages else blank)}
        for text, statements in linked
    ]


def table_columns(graph: KnowledgeGraph, labels: str | None) -> tuple[str, ...]:
    """Columns of the label table of a label set, or of the table of statements without one."""
    return ("id", *_labeler(graph, labels).columns) if labels else STATEMENT_COLUMNS


@cache
def _labeler(graph: KnowledgeGraph, name: str) -> Labeler:
    """The labeler of a label set; `mesh` and PadChest's have the columns of their publishers."""
    if name == "mesh":
        return Labeler(graph, mesh.label_set(headings=True), Style(two_valued=True))
    made = labeler(graph, name)
    if name.startswith("padchest"):
        return replace(made, label_set=named_as_published(made.label_set))
    return made


def written(
    shares: Iterable[Sequence[Record]], ending: str, columns: Sequence[str]
) -> Iterator[str]:
    """Rows as text, one part for each share of them.

    Args:
        shares: The rows.
        ending: `.csv` or `.jsonl`.
        columns: Their columns.
    """
    if ending == ".jsonl":
        for rows in shares:
            yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        return
    yield table_text([columns])
    for rows in shares:
        yield table_text([_cell(value) for value in row.values()] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ";".join(value)
    return "" if value is None else value
