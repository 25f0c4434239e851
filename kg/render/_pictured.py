"""Shared by drawings: the colour of each kind of concept, and the sources of an edge."""

from __future__ import annotations

from kg.model.edges import Edge
from kg.model.graph import KnowledgeGraph

COLOURS = {
    "finding": "#9ecae1",
    "disease": "#fcae91",
    "symptom": "#fdd0a2",
    "anatomy": "#c7e9c0",
    "device": "#dadaeb",
    "procedure": "#dadaeb",
    "label_set": "#f0f0f0",
    "normality": "#ffffff",
}
OTHER = "#eeeeee"


def colour(kind: str) -> str:
    """Fill colour of a concept of this kind."""
    return COLOURS.get(kind, OTHER)


def sources(edge: Edge) -> str:
    """The distinct sources of an edge."""
    return "; ".join(dict.fromkeys(item.source for item in edge.evidence))


def places(graph: KnowledgeGraph) -> dict[str, str]:
    """A plain name (`n0`, `n1`, ...) for each concept id."""
    return {concept.id: f"n{place}" for place, concept in enumerate(graph.concepts)}
