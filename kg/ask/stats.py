"""Counts of a graph: concepts by kind, edges by relation, evidence by source and data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph


@dataclass(frozen=True)
class Statistics:
    """Counts of a graph, each table most frequent first.

    Args:
        concepts: Number of concepts.
        edges: Number of edges.
        clinical_edges: Edges that are not bookkeeping.
        from_memory: Edges that rest on memory alone: no source that can be pointed at.
        evidence: Items of evidence.
        kinds: Concepts of each kind.
        relations: Edges of each relation.
        statuses: Items of evidence by status.
        datasets: Edges with evidence from each data set.
        sources: Edges with evidence from each source.
        label_sets: Findings of each label set.
        isolated: Concepts without a clinical edge.
        defined: Concepts with a definition.
    """

    concepts: int
    edges: int
    clinical_edges: int
    from_memory: int
    evidence: int
    kinds: dict[str, int]
    relations: dict[str, int]
    statuses: dict[str, int]
    datasets: dict[str, int]
    sources: dict[str, int]
    label_sets: dict[str, int]
    isolated: int
    defined: int


def statistics(graph: KnowledgeGraph) -> Statistics:
    """Count the content of a graph."""
    items = [item for edge in graph.edges for item in edge.evidence]
    clinical = [edge for edge in graph.edges if not RELATIONS[edge.relation].bookkeeping]
    touched = {end for edge in clinical for end in (edge.subject, edge.object)}
    datasets = Counter(
        name for edge in graph.edges for name in {i.dataset for i in edge.evidence if i.dataset}
    )
    sources = Counter(
        source for edge in graph.edges for source in {item.source for item in edge.evidence}
    )
    return Statistics(
        concepts=len(graph.concepts),
        edges=len(graph.edges),
        clinical_edges=len(clinical),
        from_memory=sum(edge.from_memory for edge in graph.edges),
        evidence=len(items),
        kinds=_ranked(Counter(concept.kind for concept in graph.concepts)),
        relations=_ranked(Counter(edge.relation for edge in graph.edges)),
        statuses=_ranked(Counter(item.status for item in items)),
        datasets=_ranked(datasets),
        sources=_ranked(sources),
        label_sets={one.name: len(one.findings) for one in graph.label_sets},
        isolated=len(graph.concepts) - len(touched),
        defined=sum(bool(concept.definition) for concept in graph.concepts),
    )


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
