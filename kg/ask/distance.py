"""Distances of concepts in the graph, along edges that link concepts found together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kg.model.arrays import clinical_edges
from kg.model.graph import KnowledgeGraph

NOT_WALKED = (
    *("disjoint_with", "evidence_against"),
    *("seen_on_modality", "located_in", "has_distribution"),
)
"""Relations that no path takes: those that tell concepts apart, and hubs near every finding."""


def distances(graph: KnowledgeGraph, starts: Sequence[str], goals: Iterable[str]) -> list[float]:
    """Cost of the cheapest path from each of some concepts to the nearest of some others.

    A step costs the inverse of the edge's strength in (0, 1], so one along an edge of full strength
    costs 1 and one along a weak edge much; directions do not matter.

    Args:
        graph: The graph.
        starts: Concept ids.
        goals: Concept ids.

    Returns:
        Of each start 0 where it is one of the goals, infinity where no path leads to any.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    known = [graph.index[goal] for goal in goals if goal in graph.index]
    if not known:
        return [math.inf] * len(starts)
    edges = clinical_edges(graph)
    cheapest: dict[tuple[int, int], float] = {}
    for subject, relation, other, weight in zip(
        *(part.tolist() for part in edges[:4]), strict=True
    ):
        if edges.kinds[relation] not in NOT_WALKED:
            ends = min(subject, other), max(subject, other)
            cheapest[ends] = min(1 / weight, cheapest.get(ends, math.inf))
    rows, columns = zip(*cheapest, strict=True) if cheapest else ((), ())
    size = len(graph.concepts)
    costs = csr_array((list(cheapest.values()), (rows, columns)), shape=(size, size))
    far = dijkstra(costs, directed=False, indices=known, min_only=True)
    return [
        float(far[graph.index[start]]) if start in graph.index else math.inf for start in starts
    ]
