"""Ranks of held-out edges: filtered, realistic at ties, predicted from both sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.link_prediction.triples import Array, Triples
from kg.errors import RunStopped

__all__ = ["BUDGET", "Answers", "LinkMetrics", "Score", "known_answers", "measured", "ranks"]

BUDGET = 256 * 1024**2
"""Largest size of scores in memory, in bytes."""

Score = Callable[[Tensor, Tensor], Tensor]
"""Subjects and directed kinds `[B]` in, scores of every concept `[B, N]` out."""

Ranks = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Known answers of each question (a concept and a directed kind).

    Args:
        questions: `concept * kinds + kind` of each question, sorted.
        starts: Index of the first answer of each in `objects`, with the end of the last.
        objects: The answers, one question after the other.
        kinds: Number of directed kinds.
    """

    questions: Array
    starts: Array
    objects: Array
    kinds: int

    def of(self, subjects: Array, kinds: Array) -> tuple[Array, Array]:
        """Row of the batch `[A]` and concept `[A]` of each known answer."""
        places = np.searchsorted(self.questions, subjects * self.kinds + kinds)
        counts = self.starts[places + 1] - self.starts[places]
        rows = np.repeat(np.arange(len(subjects)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, self.objects[self.starts[places][rows] + within]


@dataclass(frozen=True)
class LinkMetrics:
    """Metrics of the prediction of missing ends.

    Args:
        mrr: Mean reciprocal rank.
        hits_1: Share of ranks of at most 1.
        hits_3: Share of ranks of at most 3.
        hits_10: Share of ranks of at most 10.
        count: Number of ranks.
    """

    mrr: float
    hits_1: float
    hits_3: float
    hits_10: float
    count: int


def known_answers(triples: Triples) -> Answers:
    """Every edge of every split, from both ends."""
    edges = np.concatenate([triples.directed(split) for split in ("train", "valid", "test")])
    edges = np.unique(edges, axis=0)
    questions = edges[:, 0] * triples.kinds + edges[:, 1]
    unique, starts = np.unique(questions, return_index=True)
    return Answers(unique, np.append(starts, len(edges)), edges[:, 2], triples.kinds)


@torch.no_grad()
def ranks(
    score: Score, edges: Array, answers: Answers, *, concepts: int, cells: int = 1,
    budget: int = BUDGET,
) -> Ranks:  # fmt: skip
    """Rank of each edge's object among all concepts, other known answers left out.

    Where scores tie, the rank is the mean of the best and the worst case, so that a scorer
    with constant scores is at chance.

    Args:
        score: The model.
        edges: Directed edges `[Q, 3]`, each one of the known answers.
        answers: The known answers.
        concepts: Number of concepts (`N`).
        cells: Floats in memory for each score.
        budget: Largest size of scores in memory, in bytes; it does not change the ranks.

    Returns:
        Ranks `[Q]`, 1 is best.

    Raises:
        RunStopped: If a score is not a number.
    """
    size = max(1, budget // (4 * concepts * cells))
    found = [np.zeros(0)]
    for begin in range(0, len(edges), size):
        chunk = edges[begin : begin + size]
        scores = score(torch.from_numpy(chunk[:, 0]), torch.from_numpy(chunk[:, 1]))
        own = scores.gather(1, torch.from_numpy(chunk[:, 2:]).to(scores.device))
        if not torch.isfinite(scores).all():
            raise RunStopped("scores are not finite", "train with a lower learning rate")
        rows, objects = answers.of(chunk[:, 0], chunk[:, 1])
        scores[torch.from_numpy(rows), torch.from_numpy(objects)] = -torch.inf
        better, equal = (scores > own).sum(1), (scores == own).sum(1)
        found.append((1 + better + equal / 2).double().cpu().numpy())
    return np.concatenate(found)


def measured(found: Ranks) -> LinkMetrics:
    """Metrics over ranks; NaN where there are none."""
    if not len(found):
        return LinkMetrics(math.nan, math.nan, math.nan, math.nan, 0)
    first, third, tenth = (float((found <= k).mean()) for k in (1, 3, 10))
    return LinkMetrics(float((1 / found).mean()), first, third, tenth, len(found))
