"""Graph of the Python interface: tables and queries of a knowledge graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.api.frames import frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from kg.model.concepts import Concept
    from kg.model.graph import KnowledgeGraph

__all__ = ["Graph"]


@dataclass(frozen=True)
class Graph:
    """Clinical knowledge graph with its tables and queries.

    Args:
        record: The graph, immutable.
        file: File it was read from.
    """

    record: KnowledgeGraph
    file: Path

    @property
    def concepts(self) -> DataFrame:
        """One row per concept: id, name, kind, synonyms, ids in other vocabularies, source."""
        from kg.model.plain import as_plain

        return frame([as_plain(one) for one in self.record.concepts]).drop(columns="phrases")

    @property
    def edges(self) -> DataFrame:
        """One row per edge, with its number of items of evidence."""
        return frame(
            [
                (edge.subject, edge.relation, edge.object, edge.label_set, len(edge.evidence))
                for edge in self.record.edges
            ],
            ("subject", "relation", "object", "label_set", "evidence"),
        )

    @property
    def evidence(self) -> DataFrame:
        """One row per item of evidence: its edge, source, status, licence, weight, count."""
        from kg.model.plain import as_plain

        return frame(
            [
                {"subject": e.subject, "relation": e.relation, "object": e.object, **as_plain(item)}
                for e in self.record.edges
                for item in e.evidence
            ]
        )

    @property
    def label_sets(self) -> DataFrame:
        """One row per finding of each label set, with its published column."""
        return frame(
            [
                (one.name, finding, column)
                for one in self.record.label_sets
                for finding, column in zip(one.findings, one.columns, strict=True)
            ],
            ("label_set", "finding", "column"),
        )

    def concept(self, term: str) -> Concept:
        """The concept of an id, name or synonym.

        Raises:
            InputError: If there is none, or the term is ambiguous; with the candidates.
        """
        return self.record.resolve(term)

    def paths(self, start: str, end: str, *, longest: int = 4, limit: int = 5) -> DataFrame:
        """Shortest paths between two concepts, one row per edge; empty if there are none.

        Args:
            start: Id, name or synonym of the first concept.
            end: The same of the last.
            longest: Maximum number of steps.
            limit: Maximum number of paths.
        """
        from kg.ask.paths import Route, paths

        ends = self.concept(start).id, self.concept(end).id

        connections = paths(self.record, *ends, Route(longest=longest, limit=limit))
        return frame(
            [
                (place, number, edge.subject, edge.relation, edge.object)
                for place, path in enumerate(connections)
                for number, step in enumerate(path.steps)
                for edge in step.edges
            ],
            ("path", "step", "subject", "relation", "object"),
        )

    def query(self, text: str, *, seconds: float = 60.0) -> DataFrame:
        """Answer of a SPARQL query; one cell for ASK or CONSTRUCT.

        Args:
            text: The query; the prefixes rdf rdfs owl skos xsd ckg kgdx RO BFO are known.
            seconds: Time limit in seconds, loading included.

        Raises:
            InputError: If it is not valid SPARQL, or takes longer.
        """
        from kg.ask.query import query_file, term

        answer = query_file(self.file, text, seconds=seconds)
        if answer.columns:
            return frame(([term(cell) for cell in row] for row in answer.rows), answer.columns)
        return frame([(answer.yes if answer.turtle is None else answer.turtle,)], ("answer",))
