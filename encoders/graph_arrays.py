"""A clinical graph as tensors: directed edges for graph networks, neighbourhoods of findings.

The list of directed relation kinds is the same for every graph, so that a network trained on one
graph fits any other (a control, a graph without a data set, an extended one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from kg.model.arrays import clinical_edges
from kg.model.edges import IS_A, RELATIONS
from kg.model.graph import KnowledgeGraph

__all__ = [
    "ANCESTOR",
    "CLINICAL",
    "ITSELF",
    "KINDS",
    "NEIGHBOUR_KINDS",
    "NEAR",
    "Neighbourhoods",
    "graph_tensors",
    "neighbourhoods",
]

CLINICAL = sorted(name for name, relation in RELATIONS.items() if not relation.bookkeeping)
"""Relations that reach a model, in order."""

KINDS: tuple[str, ...] = (
    *CLINICAL,
    *(f"inverse of {name}" for name in CLINICAL if not RELATIONS[name].symmetric),
)
"""Directed relation kinds; a symmetric relation is one kind both ways."""

ITSELF, ANCESTOR, NEAR = len(KINDS), len(KINDS) + 1, len(KINDS) + 2
"""Further kinds in a neighbourhood: the finding, a wider concept by `is_a`, two steps away."""

NEIGHBOUR_KINDS = len(KINDS) + 3
"""Number of kinds in a neighbourhood."""


@dataclass(frozen=True)
class Neighbourhoods:
    """The fixed neighbourhood of each finding, which its query attends to.

    Args:
        index: Concepts, `[C, K]`; 0 where there is none.
        kind: Relation of each to the finding, `[C, K]`, values in `[0, NEIGHBOUR_KINDS)`.
        weight: Strength in (0, 1], `[C, K]`; 0 where there is none.
        mask: True where there is a concept, `[C, K]`; the first is the finding itself.
    """

    index: Tensor
    kind: Tensor
    weight: Tensor
    mask: Tensor


def graph_tensors(graph: KnowledgeGraph) -> tuple[Tensor, Tensor, Tensor, int]:
    """Directed edges of a graph, without bookkeeping, with every inverse added.

    Returns:
        Subject and object of each edge `[2, E]`, its kind `[E]`, its strength in (0, 1] `[E]`,
        and the number of directed kinds.
    """
    strengths = _directed(graph)
    edges = torch.tensor([key[:2] for key in strengths], dtype=torch.int64).reshape(-1, 2).T
    kinds = torch.tensor([key[2] for key in strengths], dtype=torch.int64)
    weights = torch.tensor(list(strengths.values()), dtype=torch.float32)
    return edges.contiguous(), kinds, weights, len(KINDS)


def neighbourhoods(graph: KnowledgeGraph, findings: Sequence[str], limit: int) -> Neighbourhoods:
    """The neighbourhood of each finding; deterministic.

    In this order, up to `limit`: the finding itself; its neighbours, the strongest first,
    at equal strength the wider concepts by `is_a`, then those with the fewest edges (more
    specific than a hub); its further ancestors, the nearest first; concepts two steps away, by
    the product of the strengths.

    Args:
        graph: The graph of the run.
        findings: Concept ids (`C`).
        limit: Largest number of concepts of a finding (`K`).

    Raises:
        InputError: If a finding is not in the graph.
    """
    around = _around(graph)
    index = np.zeros((len(findings), limit), np.int64)
    kind = np.zeros((len(findings), limit), np.int64)
    weight = np.zeros((len(findings), limit), np.float32)
    for row, finding in enumerate(findings):
        here = graph.index[graph.concept(finding).id]
        wider = [graph.index[ancestor] for ancestor in graph.ancestors(finding)]
        for place, (concept, how, strength) in enumerate(_ranked(here, wider, around, limit)):
            index[row, place], kind[row, place], weight[row, place] = concept, how, strength
    return Neighbourhoods(
        torch.from_numpy(index),
        torch.from_numpy(kind),
        torch.from_numpy(weight),
        torch.from_numpy(weight > 0),
    )


def _directed(graph: KnowledgeGraph) -> dict[tuple[int, int, int], float]:
    """Strength of each directed edge, by subject, object and kind, in a fixed order."""
    place = {kind: position for position, kind in enumerate(KINDS)}
    strengths: dict[tuple[int, int, int], float] = {}
    edges = clinical_edges(graph)
    for subject, relation, obj, weight in zip(
        edges.subjects.tolist(),
        edges.relations.tolist(),
        edges.objects.tolist(),
        edges.weights.tolist(),
        strict=True,
    ):
        name = edges.kinds[relation]
        back = name if RELATIONS[name].symmetric else f"inverse of {name}"
        for key in ((subject, obj, place[name]), (obj, subject, place[back])):
            strengths[key] = max(weight, strengths.get(key, 0.0))
    return strengths


Around = list[dict[int, tuple[int, float]]]
"""Neighbours of each concept, with kind and strength of the strongest edge."""

WIDER = KINDS.index(f"inverse of {IS_A}")
"""Kind of the message from a wider concept."""


@lru_cache(maxsize=1)
def _around(graph: KnowledgeGraph) -> Around:
    around: Around = [{} for _ in graph.concepts]

    def rank(kind: int, weight: float) -> tuple[float, bool, int]:
        return weight, kind == WIDER, -kind

    # The kind is that of the message from the neighbour, as in `graph_tensors`.
    for (subject, obj, kind), weight in _directed(graph).items():
        known = around[obj].get(subject)
        if subject != obj and (known is None or rank(kind, weight) > rank(*known)):
            around[obj][subject] = kind, weight
    return around


def _ranked(
    here: int, wider: Sequence[int], around: Around, limit: int
) -> list[tuple[int, int, float]]:
    """Concept, kind and strength of the neighbours of one finding, in order."""
    direct = sorted(
        around[here].items(),
        key=lambda item: (-item[1][1], item[1][0] != WIDER, len(around[item[0]]), item[0]),
    )
    kept = {here: (ITSELF, 1.0)}
    kept.update(direct)
    for concept in wider:
        kept.setdefault(concept, (ANCESTOR, 1.0))
    if len(kept) < limit:
        further: dict[int, float] = {}
        for concept, (_, weight) in direct:
            for beyond, (_, second) in around[concept].items():
                further[beyond] = max(weight * second, further.get(beyond, 0.0))
        for concept in sorted(further, key=lambda one: (-further[one], len(around[one]), one)):
            kept.setdefault(concept, (NEAR, further[concept]))
    return [(concept, kind, weight) for concept, (kind, weight) in kept.items()][:limit]
