"""CSV: a table of edges with one row for each item of evidence, of concepts, or of triples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, fields
from typing import Literal

from kg.files.shown import table_text
from kg.model.edges import Evidence
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions

__all__ = ["CsvTable"]

_EDGE = ("subject", "subject_label", "relation", "object", "object_label", "label_set")
_CONCEPT = ("id", "label", "kind", "synonyms", "xrefs", "definition", "source", "dataset")


class CsvTable:
    """Writes one table, quoted where a cell needs it; lists in a cell are separated by `|`.

    Args:
        options: The table.
    """

    class Options(BaseOptions):
        """Choice of the table.

        Args:
            table: `edges` (one row for each item of evidence), `concepts`, or `triples` (head,
                relation and tail, as PyHealth's `KnowledgeGraph` reads them).
        """

        table: Literal["edges", "concepts", "triples"] = "edges"

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        write = {"edges": _edges, "concepts": _concepts, "triples": _triples}[self.options.table]
        return table_text(write(graph)).encode()


def _edges(graph: KnowledgeGraph) -> Iterator[tuple[object, ...]]:
    yield (*_EDGE, *(field.name for field in fields(Evidence)))
    for edge in graph.edges:
        subject, target = graph.concept(edge.subject).label, graph.concept(edge.object).label
        known = (edge.subject, subject, edge.relation, edge.object, target, edge.label_set or "")
        for item in edge.evidence:
            yield (*known, *astuple(item))


def _concepts(graph: KnowledgeGraph) -> Iterator[tuple[object, ...]]:
    yield _CONCEPT
    for concept in graph.concepts:
        values = (getattr(concept, name) for name in _CONCEPT)
        yield tuple("|".join(v) if isinstance(v, tuple) else v for v in values)


def _triples(graph: KnowledgeGraph) -> Iterator[tuple[object, ...]]:
    yield "head", "relation", "tail"
    # An edge of two label sets is one triple.
    yield from dict.fromkeys((edge.subject, edge.relation, edge.object) for edge in graph.edges)
