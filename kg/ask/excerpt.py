"""Excerpts: the neighbourhood of one concept, or the edges of some relations, as a graph."""

from __future__ import annotations

from dataclasses import replace

from kg.ask.tree import Scope, reached
from kg.model.graph import KnowledgeGraph


def excerpt(graph: KnowledgeGraph, centre: str | None, scope: Scope) -> KnowledgeGraph:
    """Subgraph around a concept.

    Args:
        graph: The graph.
        centre: Id of the concept, or None for everything that the relations touch.
        scope: How far to go, and which relations to keep; its limit is not used.

    Returns:
        The concepts, the edges between them, and the label sets that are still whole.
    """
    kept = (
        {}
        if centre is None
        else dict.fromkeys(reached(graph, centre, Scope(scope.depth, scope.relations)))
    )
    edges = [
        edge
        for edge in graph.edges
        if (edge.relation in scope.relations or not scope.relations)
        and (centre is None or (edge.subject in kept and edge.object in kept))
    ]
    if centre is None:
        kept = dict.fromkeys(end for edge in edges for end in (edge.subject, edge.object))
    whole = (s for s in graph.label_sets if {s.concept, *s.findings} <= kept.keys())
    about = graph.name if centre is None else f"{graph.name} around {centre}"
    return replace(
        graph,
        concepts=tuple(concept for concept in graph.concepts if concept.id in kept),
        edges=tuple(edges),
        label_sets=tuple(whole),
        name=about,
    )
