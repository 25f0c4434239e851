"""Records of a graph file as written, before any check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kg.model.concepts import Concept
from kg.model.edges import Edge
from kg.model.graph import KnowledgeGraph, LabelSet


class Malformed(NamedTuple):
    """A record that was left out, as a value of it is not of its type.

    Args:
        about: Its name.
        message: The value.
    """

    about: str
    message: str


@dataclass(frozen=True)
class Records:
    """Content of a graph file, whether or not it makes a graph.

    Args:
        name: Name of the graph.
        concepts: Its concepts.
        edges: Its edges.
        label_sets: Its label sets.
        fingerprint: The fingerprint it was written with, or empty.
        counts: The numbers of records it was written with.
        bare: Triples that RDF states without any evidence.
        malformed: Records that were left out.
    """

    name: str
    concepts: list[Concept] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    label_sets: list[LabelSet] = field(default_factory=list)
    fingerprint: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    bare: list[tuple[str, str, str]] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)

    def graph(self) -> KnowledgeGraph:
        """The graph of these records.

        Raises:
            InputError: If they make no graph.
        """
        return KnowledgeGraph(
            tuple(self.concepts), tuple(self.edges), tuple(self.label_sets), name=self.name
        )
