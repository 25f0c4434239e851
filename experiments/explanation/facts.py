"""Facts: what a study states, and the ways over the graph on which it reached a finding.

A stated concept counts by what the finding's logit loses when it is taken from the evidence of the
study. An edge counts by what the logit loses without it, less what it loses for the same study
with averaged pictures and no text: what an edge says of every study is no evidence of this one.
Candidates are the edges of the shortest ways from stated concepts, and those around the finding
with the largest difference of gradients between the two studies; all that are listed were deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
from experiments.explanation.deletion import Concepts, places_of, repeated, shares, with_tokens
from experiments.metrics.arrays import FloatArray
from fusion.capabilities import Perturbs
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

Ways = Mapping[str, Sequence[tuple[Edge, ...]]]
"""Ways to a finding, by the concept they start from."""


@dataclass(frozen=True)
class EdgeDeletion:
    """Deletion of edges of the graph for one study.

    Args:
        system: A system that predicts on chosen edges (`Perturbs`), in evaluation mode.
        batch: The study, alone, with its pictures as they were read: what says nothing has the mean
            of their pixels, which is another input than the mean of their tokens.
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
            text=None if text is None else text.silenced(~own[:, 0]),
            evidence=None if evidence is None else evidence * own,
        )
        places = places_of(self.batch, self.system)
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
    def shares(self, findings: tuple[str, ...], deleted: Sequence[Iterable[Edge]]) -> FloatArray:
        """Logit that each finding loses without some edges, less what it loses for no input.

        Args:
            findings: Concept ids (`C`).
            deleted: Edges that are deleted together; each deletion is one for all findings.

        Returns:
            `[deletions, C]`.
        """
        if not deleted:
            return np.zeros((0, len(findings)))
        scale = self._whole(len(deleted) + 1)
        for row, edges in enumerate(deleted, 1):
            scale[row, [place for edge in edges for place in self._of(edge)]] = 0.0
        found = torch.stack(
            self.system.predict_on_edges(self.both, [findings] * len(scale), scale)
        )  # [1 + deletions, 2, C]
        lost = (found[:1] - found[1:]).double().numpy()
        return np.asarray(lost[:, 0] - lost[:, 1])

    def likely(self, findings: tuple[str, ...]) -> list[list[Edge]]:
        """Edges of each finding whose gradient differs most between the study and no input."""
        scale = self._whole(1).requires_grad_()
        (found,) = self.system.predict_on_edges(self.both, [findings], scale)
        if not found.requires_grad:
            return [[] for _ in findings]
        graph: KnowledgeGraph = self.system.setting.graph
        made = []
        for finding, difference in zip(findings, found[0] - found[1], strict=True):
            (gradient,) = torch.autograd.grad(
                difference, scale, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            weight = {
                edge: float(gradient[0, self._of(edge)].abs().sum())
                for edge in graph.edges_of(finding)
            }
            likely = sorted((edge for edge in weight if weight[edge] > 0), key=lambda e: -weight[e])
            made.append(likely[:MOST])
        return made

    def around(self, finding: str) -> list[Edge]:
        """Edges of a finding that carry anything."""
        graph: KnowledgeGraph = self.system.setting.graph
        return [edge for edge in graph.edges_of(finding) if self._of(edge)]

    def _whole(self, rows: int) -> Tensor:
        return torch.ones(rows, sum(map(len, self.places.values())))

    def _of(self, edge: Edge) -> list[int]:
        index = self.system.setting.graph.index
        ends = ((index[end], edge.relation) for end in (edge.subject, edge.object))
        return self.places.get(frozenset(ends), [])


def fact_paths(
    system: Any,
    batch: StudyBatch,
    findings: tuple[str, ...],
    edges: EdgeDeletion | None = None,
) -> list[tuple[FactPath, ...]]:
    """Facts of one study for each finding, the largest share first; none without a share.

    Args:
        system: The system, in evaluation mode.
        batch: The study, alone, with its pictures as they were read.
        findings: Concept ids (`C`) of the graph.
        edges: Deletion of edges of this study, where it is at hand; None = to be made, where the
            system can be without an edge.
    """
    if not findings:
        return []
    graph: KnowledgeGraph = system.setting.graph
    units = Concepts.of(with_tokens(system, batch))
    concepts = [graph.concepts[place].id for place in units.stated]
    stated = shares(system, units, findings) if concepts else np.zeros((0, len(findings)))
    said = [_largest(concepts, of) for of in stated.T]
    if edges is None and isinstance(system, Perturbs):
        edges = EdgeDeletion(system, batch)
    if edges is None:
        return [tuple(_stated(of, {}, {}, batch, graph)) for of in said]
    ways = [_ways(graph, [*of], to) for of, to in zip(said, findings, strict=True)]
    near = edges.likely(findings)
    tried = [
        [*chain(*chain(*ways.values())), *around] for ways, around in zip(ways, near, strict=True)
    ]
    every = list(dict.fromkeys(chain(*tried)))
    found = edges.shares(findings, [(edge,) for edge in every])
    made = []
    for place, finding in enumerate(findings):
        measured = dict(zip(every, found[:, place].tolist(), strict=True))
        facts = _stated(said[place], ways[place], measured, batch, graph)
        known = {one.edge for fact in facts for one in fact.edges}
        for edge in near[place]:
            if edge not in known and abs(measured[edge]) >= TINY:
                other = edge.object if edge.subject == finding else edge.subject
                share = measured[edge]
                facts.append(FactPath(other, "linked", "", (EdgeShare(edge, share),), share))
        made.append(tuple(sorted(facts, key=lambda fact: -abs(fact.share))))
    return made


def _largest(concepts: Sequence[str], lost: FloatArray) -> dict[str, float]:
    """Concepts with the largest shares, in order."""
    order = np.argsort(-np.abs(lost), kind="stable")[:MOST].tolist()
    return {concepts[place]: float(lost[place]) for place in order if abs(lost[place]) >= TINY}


def _stated(
    said: Mapping[str, float],
    ways: Ways,
    measured: Mapping[Edge, float],
    batch: StudyBatch,
    graph: KnowledgeGraph,
) -> list[FactPath]:
    """Facts of the stated concepts, each with its strongest way to the finding."""
    return [
        FactPath(
            start,
            "stated",
            _assertion(batch, graph.index[start]),
            _strongest(ways.get(start, ()), measured),
            share,
        )
        for start, share in said.items()
    ]


def _ways(graph: KnowledgeGraph, starts: Sequence[str], finding: str) -> Ways:
    """Short ways over the graph from each concept to the finding."""
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
