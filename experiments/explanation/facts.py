"""Facts: what a study states, and the ways over the graph on which it reached a finding.

A stated concept counts by what the finding's logit loses when it is taken from the evidence of the
study. An edge counts by what the logit loses without it, less what it loses for the same study
with averaged pictures and no text: what an edge says of every study is no evidence of this one.
Candidates are the edges of the shortest ways from stated concepts, and those around the finding
with the largest difference of gradients between the two studies; all that are listed were deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.graph_arrays import KINDS, graph_tensors
from experiments.explanation.answer import EdgeShare, FactPath
from experiments.explanation.deletion import Concepts, places_of, repeated
from experiments.metrics.arrays import FloatArray
from kg.ask.paths import Route, paths
from kg.model.edges import Edge
from kg.model.graph import KnowledgeGraph

__all__ = ["TINY", "EdgeDeletion", "fact_paths"]

TINY = 0.01
"""Smallest share, in logits, that is listed."""

ROUTE = Route(longest=2, limit=2)
"""Ways from a stated concept that are tried."""

MOST = 4
"""Most stated concepts, and most edges around a finding, that are measured."""


@dataclass(frozen=True)
class EdgeDeletion:
    """Deletion of edges of the graph for one study.

    Args:
        system: A system that predicts on chosen edges (`Perturbs`), in evaluation mode.
        batch: The study, alone.
    """

    system: Any
    batch: StudyBatch

    @cached_property
    def both(self) -> StudyBatch:
        """The study, and one that says nothing: averaged pictures, neither text nor statement."""
        both = repeated(self.batch, 2)
        text, evidence = both.text, both.evidence
        own = torch.tensor([[True], [False]])
        silent = replace(
            both,
            text=None if text is None else replace(text, mask=text.mask & own),
            evidence=None if evidence is None else evidence * own,
        )
        places = places_of(self.batch)
        if places is None:
            return silent
        hidden = np.repeat([[False], [True]], places.count, axis=1)
        pictures = places.without(hidden)
        return replace(silent, image_tokens=pictures.image_tokens, pixels=pictures.pixels)

    @cached_property
    def places(self) -> Mapping[frozenset[tuple[int, str]], list[int]]:
        """Places of the directed edges of each edge, by its ends and its relation."""
        ends, kinds, _, _ = graph_tensors(self.system.setting.graph)
        places: dict[frozenset[tuple[int, str]], list[int]] = defaultdict(list)
        for place, (start, end, kind) in enumerate(
            zip(*ends.tolist(), kinds.tolist(), strict=True)
        ):
            relation = KINDS[kind].removeprefix("inverse of ")
            places[frozenset({(start, relation), (end, relation)})].append(place)
        return places

    @torch.no_grad()
    def shares(self, finding: str, edges: Sequence[Edge]) -> FloatArray:
        """What the finding's logit loses without each edge, less what it loses for no input."""
        if not edges:
            return np.zeros(0)
        scale = self._whole(len(edges) + 1)
        for row, edge in enumerate(edges, 1):
            scale[row, self._of(edge)] = 0.0
        found = self.system.predict_on_edges(self.both, (finding,) * len(scale), scale)
        lost = (found[:, :1] - found[:, 1:]).double().numpy()
        return np.asarray(lost[0] - lost[1])

    def likely(self, finding: str) -> list[Edge]:
        """Edges of the finding whose gradient differs most between the study and no input."""
        scale = self._whole(1).requires_grad_()
        found = self.system.predict_on_edges(self.both, (finding,), scale)[:, 0]
        if not found.requires_grad:
            return []
        (gradient,) = torch.autograd.grad(found[0] - found[1], scale, allow_unused=True)
        if gradient is None:
            return []
        graph: KnowledgeGraph = self.system.setting.graph
        weight = {
            edge: float(gradient[0, self._of(edge)].abs().sum()) for edge in graph.edges_of(finding)
        }
        likely = sorted((edge for edge in weight if weight[edge] > 0), key=lambda e: -weight[e])
        return likely[:MOST]

    def _whole(self, rows: int) -> Tensor:
        return torch.ones(rows, sum(map(len, self.places.values())))

    def _of(self, edge: Edge) -> list[int]:
        index = self.system.setting.graph.index
        ends = ((index[end], edge.relation) for end in (edge.subject, edge.object))
        return self.places.get(frozenset(ends), [])


def fact_paths(
    system: Any, batch: StudyBatch, finding: str, stated: FloatArray, edges: EdgeDeletion | None
) -> tuple[FactPath, ...]:
    """Facts of one study for a finding, the largest share first; none without a share.

    Args:
        system: The system, in evaluation mode.
        batch: The study, alone.
        finding: Concept id.
        stated: What the finding's logit loses without each stated concept, in the order of
            `Concepts.of`.
        edges: Deletion of edges of this study; None where the system cannot be without one.
    """
    graph: KnowledgeGraph = system.setting.graph
    concepts = Concepts.of(batch).stated
    order = np.argsort(-np.abs(stated), kind="stable")[:MOST].tolist()
    shares = {
        graph.concepts[concepts[place]].id: float(stated[place])
        for place in order
        if abs(stated[place]) >= TINY
    }
    ways = _ways(graph, [*shares], finding) if edges else {}
    near = edges.likely(finding) if edges and finding in graph.index else []
    tried = list(dict.fromkeys([*chain(*chain(*ways.values())), *near]))
    found = edges.shares(finding, tried).tolist() if edges else []
    measured = dict(zip(tried, found, strict=True))
    facts = [
        FactPath(
            start,
            "stated",
            _assertion(batch, graph.index[start]),
            _strongest(ways.get(start, ()), measured),
            share,
        )
        for start, share in shares.items()
    ]
    known = {one.edge for fact in facts for one in fact.edges}
    for edge in near:
        if edge not in known and abs(measured[edge]) >= TINY:
            other = edge.object if edge.subject == finding else edge.subject
            share = measured[edge]
            facts.append(FactPath(other, "linked", "", (EdgeShare(edge, share),), share))
    return tuple(sorted(facts, key=lambda fact: -abs(fact.share)))


def _ways(
    graph: KnowledgeGraph, starts: Sequence[str], finding: str
) -> dict[str, list[tuple[Edge, ...]]]:
    """Short ways over the graph from each concept to the finding."""
    if finding not in graph.index:
        return {}
    return {
        start: [
            way
            for path in paths(graph, start, finding, ROUTE)
            for way in product(*(step.edges for step in path.steps))
        ]
        for start in starts
        if start != finding
    }


def _strongest(
    ways: Sequence[tuple[Edge, ...]], measured: Mapping[Edge, float]
) -> tuple[EdgeShare, ...]:
    """The way whose weakest edge counts most; none where no way has a share at every step."""

    def weakest(way: tuple[Edge, ...]) -> float:
        return min(abs(measured[edge]) for edge in way)

    best = max(ways, key=weakest, default=())
    if not best or weakest(best) < TINY:
        return ()
    return tuple(EdgeShare(edge, measured[edge]) for edge in best)


def _assertion(batch: StudyBatch, place: int) -> str:
    """Assertion of a stated concept."""
    assert batch.evidence is not None
    value = float(batch.evidence[0, place])
    return "absent" if value < 0 else "present" if value > 0.75 else "uncertain"
