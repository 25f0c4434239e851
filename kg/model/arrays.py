"""Arrays of a graph's clinical edges, and the neighbourhood of a concept, both without torch."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg.model.edges import RELATIONS, Edge, Evidence
from kg.model.graph import KnowledgeGraph

FLOOR = 0.01
"""Least strength: an edge that is in the graph is never without effect."""

WORDS = {
    # Human Phenotype Ontology: middle of the range each word stands for.
    "obligate": 1.0,
    "very frequent": 0.9,
    "frequent": 0.55,
    "occasional": 0.17,
    "very rare": 0.025,
    # Suspicion in COVID-RADS, CO-RADS and lung ultrasound: equal steps.
    "proven": 1.0,
    "very high": 0.9,
    "high": 0.75,
    "intermediate": 0.5,
    "moderate": 0.5,
    "low": 0.25,
    "very low": 0.1,
}


class ClinicalEdges(NamedTuple):
    """Edges of a graph without bookkeeping relations, in the graph's order.

    Args:
        subjects: Position of each subject in `graph.concepts`, `[E]`.
        relations: Position of each relation in `kinds`, `[E]`.
        objects: Position of each object, `[E]`.
        weights: Strength of each edge in (0, 1], `[E]`.
        kinds: Names of the relations (`R`), sorted.
    """

    subjects: NDArray[np.int64]
    relations: NDArray[np.int64]
    objects: NDArray[np.int64]
    weights: NDArray[np.float32]
    kinds: tuple[str, ...]


class Neighbour(NamedTuple):
    """A concept next to another one.

    Args:
        concept: Its id.
        relation: The relation between them.
        forward: True if the neighbour is the object.
        weight: Strength of the edge in (0, 1].
    """

    concept: str
    relation: str
    forward: bool
    weight: float


def strength(item: Evidence, relation: str) -> float | None:
    """Strength of an edge by one item of evidence, in (0, 1], or None where it states none.

    Proportions and normalised pointwise mutual information are taken as they are (mentions a
    report may exceed 1 and are cut), an odds ratio becomes `OR / (1 + OR)`, and words are looked
    up in `WORDS`. Of `evidence_against`, whose words say how likely the disease still is, the
    complement is taken.
    """
    if item.weight is None:
        word = WORDS.get(item.detail.casefold())
        value = None if word is None else 1 - word if relation == "evidence_against" else word
    elif re.match(r"OR=", item.detail):
        value = item.weight / (1 + item.weight)
    else:
        value = item.weight
    return None if value is None else float(min(1.0, max(FLOOR, value)))


def weight(edge: Edge) -> float:
    """Strength of an edge in (0, 1]: the mean over its evidence that states one, else 1."""
    said = [s for item in edge.evidence if (s := strength(item, edge.relation)) is not None]
    return sum(said) / len(said) if said else 1.0


def clinical_edges(graph: KnowledgeGraph) -> ClinicalEdges:
    """Edges for graph neural networks and attention.

    Bookkeeping relations (`member_of`, `actionability`, `mentioned_in`) are left out. Edges of one
    triple under several label sets are one edge here. No inverses are added.
    """
    edges = _clinical(graph.edges)
    kinds = tuple(sorted({edge.relation for edge in edges}))
    place = {kind: position for position, kind in enumerate(kinds)}
    return ClinicalEdges(
        np.array([graph.index[edge.subject] for edge in edges], dtype=np.int64),
        np.array([place[edge.relation] for edge in edges], dtype=np.int64),
        np.array([graph.index[edge.object] for edge in edges], dtype=np.int64),
        np.array([weight(edge) for edge in edges], dtype=np.float32),
        kinds,
    )


def neighbourhood(graph: KnowledgeGraph, concept: str, limit: int) -> list[Neighbour]:
    """The strongest clinical neighbours of a concept, at most `limit`, always in the same order.

    Raises:
        InputError: If there is no such concept.
    """
    here = graph.concept(concept).id
    neighbours = [
        Neighbour(
            edge.object if edge.subject == here else edge.subject,
            edge.relation,
            edge.subject == here,
            weight(edge),
        )
        for edge in _clinical(graph.edges_of(here))
    ]
    neighbours.sort(key=lambda one: (-one.weight, one.relation, not one.forward, one.concept))
    return neighbours[:limit]


def _clinical(edges: tuple[Edge, ...]) -> list[Edge]:
    kept: dict[tuple[str, str, str], Edge] = {}
    for edge in edges:
        if not RELATIONS[edge.relation].bookkeeping:
            kept.setdefault(edge.key[:3], edge)
    return list(kept.values())
