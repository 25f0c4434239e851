"""Retrieval by pairs: every image read with every report, both directions, in pools of studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from experiments.inference.score import evaluating
from experiments.loading.cohort import Cohort
from experiments.metrics.sums import MetricsOf
from experiments.runs.build import RunContext
from experiments.tasks.retrieval import DIRECTIONS, Ranked, Retrieval, direction_metrics, ranks
from fusion.capabilities import Matches, able

__all__ = ["PairRetrieval"]

POOL = 100
"""Studies whose images and reports are ranked among each other; the cost grows with its square."""


class PairRetrieval(Retrieval):
    """Recall, mean reciprocal rank and median rank of systems that read image and text together."""

    capability: ClassVar[type] = Matches
    sums: ClassVar[Mapping[str, MetricsOf]] = {
        f"pair_retrieval_{way}": partial(direction_metrics, f"pair_{way}") for way in DIRECTIONS
    }
    metrics: ClassVar[tuple[str, ...]] = tuple(
        name for metrics in sums.values() for name in metrics(())
    )

    def ranked(self, context: RunContext, cohort: Cohort) -> Ranked | None:
        """Ranks of the studies by the score of each pair, within pools in their order."""
        whole = replace(cohort, sentences=False)
        size = len(cohort)
        scores = torch.full((size, size), float("-inf"))
        for start in range(0, size, POOL):
            pool = range(start, min(start + POOL, size))
            scores[pool.start : pool.stop, pool.start : pool.stop] = _matched(context, whole, pool)
        there = (~scores.diagonal().isnan()).nonzero().flatten().tolist()
        return ranks(context, cohort, there, scores[there][:, there])


@torch.no_grad()
def _matched(context: RunContext, cohort: Cohort, pool: range) -> Tensor:
    """Logits of every image of a pool with every report of it, `[n, n]`; NaN where one lacks."""
    system: Matches = able(context.system, Matches)
    batch = cohort.batch(pool, training=True).to(next(context.system.parameters()).device)
    if batch.paired_text is None:
        return torch.full((len(pool), len(pool)), float("nan"))
    with evaluating(context.system):
        return system.match(batch, batch.paired_text).float().cpu()
