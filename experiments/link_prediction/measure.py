"""Metrics of a trained link predictor on held-out edges, and nearest concepts."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experiments.link_prediction.leaks import leaking
from experiments.link_prediction.ranking import Answers, LinkMetrics, Ranks, measured, ranks
from experiments.link_prediction.triples import Triples
from kg.errors import InputError, did_you_mean

__all__ = ["WHAT", "Measured", "Spread", "chance", "measure", "nearest", "over_seeds"]

WHAT = ("both sides", "object asked for", "subject asked for", "without inverse leaks")


@dataclass(frozen=True)
class Measured:
    """Metrics on the test edges.

    Args:
        rows: Metrics of each of `WHAT`.
        relations: Metrics of each relation, both sides.
        leaks: Share of the test edges that follow from a training edge.
    """

    rows: dict[str, LinkMetrics]
    relations: dict[str, LinkMetrics]
    leaks: float


@dataclass(frozen=True)
class Spread:
    """A figure over seeds: its mean and its standard deviation (0 for one seed)."""

    mean: float
    deviation: float


def measure(found: Ranks, triples: Triples) -> Measured:
    """Metrics from the ranks of the test edges in both directions, `[2 E]`."""
    leaked = leaking(triples, triples.test)
    count = len(triples.test)
    both = found.reshape(2, count)
    groups = (found, both[0], both[1], both[:, ~leaked].ravel())
    kinds = triples.test[:, 1]
    by_relation = {
        triples.relations[kind]: measured(both[:, kinds == kind].ravel())
        for kind in np.unique(kinds)
    }
    rows = {what: measured(group) for what, group in zip(WHAT, groups, strict=True)}
    return Measured(rows, by_relation, float(leaked.mean()))


def chance(triples: Triples, answers: Answers) -> LinkMetrics:
    """Metrics of a scorer with the same score for every concept."""
    count = len(triples.concepts)

    def score(subjects: Tensor, kinds: Tensor) -> Tensor:
        return torch.zeros(len(subjects), count)

    return measured(ranks(score, triples.directed("test"), answers, concepts=count))


def over_seeds(found: Sequence[LinkMetrics]) -> dict[str, Spread]:
    """Mean and deviation of each figure."""
    made = {}
    for name in ("mrr", "hits_1", "hits_3", "hits_10"):
        values = [getattr(one, name) for one in found]
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        made[name] = Spread(statistics.fmean(values), deviation)
    return made


def nearest(
    nodes: Tensor, concepts: Sequence[str], concept: str, limit: int
) -> Iterator[tuple[str, float]]:
    """The concepts with the largest cosine similarity, with the cosine.

    Raises:
        InputError: If there is no such concept.
    """
    if concept not in concepts:
        raise InputError(f"no concept {concept}", did_you_mean(concept, concepts))
    here = list(concepts).index(concept)
    directions = torch.nn.functional.normalize(nodes, dim=1)
    cosines = directions @ directions[here]
    cosines[here] = -torch.inf
    best = cosines.topk(min(limit, len(concepts) - 1))
    for value, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        yield concepts[place], value
