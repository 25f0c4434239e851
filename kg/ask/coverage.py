"""Coverage of a label set: its findings that the graph has, and how much it has of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kg.errors import InputError
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph, LabelSet


@dataclass(frozen=True, slots=True)
class Covered:
    """Coverage of one label.

    Args:
        label: Column or label as published.
        concept: Id of its concept, or None where the graph has none.
        edges: Clinical edges of the concept.
        evidence: Items of evidence on those edges.
        names: Names of the concept.
        xrefs: Identifiers in other vocabularies.
        remark: Why there is no concept, or empty.
    """

    label: str
    concept: str | None
    edges: int = 0
    evidence: int = 0
    names: int = 0
    xrefs: int = 0
    remark: str = ""


def coverage(graph: KnowledgeGraph, label_set: LabelSet) -> list[Covered]:
    """One row for each finding of a label set, in its order."""
    pairs = zip(label_set.columns, label_set.findings, strict=False)
    return [_row(graph, label, concept) for label, concept in pairs]


def coverage_of_names(graph: KnowledgeGraph, labels: Iterable[str]) -> list[Covered]:
    """One row for each label, each looked up by its name."""
    rows = []
    for label in labels:
        try:
            rows.append(_row(graph, label, graph.resolve(label).id))
        except InputError as error:
            rows.append(Covered(label, None, remark=f"{error.message}; {error.hint}"))
    return rows


def _row(graph: KnowledgeGraph, label: str, concept: str) -> Covered:
    if concept not in graph.index:
        return Covered(label, None, remark=f"{concept} is not in the graph")
    known = graph.concept(concept)
    edges = [e for e in graph.edges_of(concept) if not RELATIONS[e.relation].bookkeeping]
    return Covered(
        label,
        concept,
        len(edges),
        sum(len(edge.evidence) for edge in edges),
        1 + len(known.synonyms),
        len(known.xrefs),
    )
