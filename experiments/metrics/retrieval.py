"""Retrieval: ranks of relevant candidates, beside chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import hypergeom

from experiments.metrics.arrays import BoolArray, FloatArray, ratio
from experiments.metrics.sums import Metric, StudySums, share

__all__ = ["CUTS", "retrieval_metrics", "retrieval_sums"]

CUTS = (1, 5, 10)
"""Numbers of nearest candidates of the metrics."""


def retrieval_sums(
    similarity: ArrayLike, relevant: ArrayLike, cuts: Sequence[int] = CUTS
) -> StudySums:
    """Numbers of each query for the sums.

    A candidate that is as near as a relevant one but is not relevant comes before it, so that
    a system which gives all the same similarity finds nothing.

    Args:
        similarity: Of each query to each candidate, `[n, m]`; -inf = no candidate of this query
            (itself, or another image of the patient).
        relevant: True if a candidate belongs to the query, `[n, m]`. Identical reports belong to
            the same queries.
        cuts: Numbers of nearest candidates.

    Returns:
        One row for each query; all zeros where none of its candidates is relevant.

    Raises:
        ValueError: If the shapes differ or a similarity is missing.
    """
    scores = np.asarray(similarity, dtype=np.float64)
    if scores.shape != np.shape(relevant) or scores.ndim != 2:
        raise ValueError(f"similarity {scores.shape}, relevant {np.shape(relevant)}: need [n, m]")
    if np.isnan(scores).any():
        raise ValueError("a similarity is missing; -inf takes a candidate out")
    candidates = scores > -np.inf
    matches = np.asarray(relevant, dtype=bool) & candidates
    order = np.lexsort((matches, -scores), axis=1)
    hits = np.take_along_axis(matches, order, axis=1)
    pool, number = candidates.sum(axis=1), matches.sum(axis=1)
    counted = number > 0
    columns: dict[str, ArrayLike] = {
        "queries": counted,
        "pool": pool,
        "rank": hits.argmax(axis=1) + 1,
        "reciprocal_rank": 1 / (hits.argmax(axis=1) + 1),
        "average_precision": _average_precision(hits),
    }
    for cut in cuts:
        columns |= {
            f"hit@{cut}": hits[:, :cut].any(axis=1),
            f"precision@{cut}": hits[:, :cut].sum(axis=1) / cut,
            f"chance@{cut}": _chance(pool, number, cut),
        }
    return StudySums.of({name: np.where(counted, column, 0) for name, column in columns.items()})


def retrieval_metrics(cuts: Sequence[int] = CUTS) -> dict[str, Metric]:
    """Metrics of `retrieval_sums`, all means over queries but the median rank.

    `recall_at_k` is the share of queries with something relevant among the first `k`, as in papers
    on images and reports, and `chance_at_k` what random orders would reach.
    """
    metrics: dict[str, Metric] = {}
    for cut in cuts:
        metrics[f"recall_at_{cut}"] = share(f"hit@{cut}", "queries")
        metrics[f"precision_at_{cut}"] = share(f"precision@{cut}", "queries")
        metrics[f"chance_at_{cut}"] = share(f"chance@{cut}", "queries")
    return metrics | {
        "mean_reciprocal_rank": share("reciprocal_rank", "queries"),
        "mean_average_precision": share("average_precision", "queries"),
        "median_rank": lambda queries: queries.median("rank", among="queries"),
        "pool": share("pool", "queries"),
    }


def _average_precision(hits: BoolArray) -> FloatArray:
    """Mean precision at the places of what is relevant, `[n]`; NaN where nothing is."""
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return ratio((precision * hits).sum(axis=1), hits.sum(axis=1))


def _chance(pool: ArrayLike, number: ArrayLike, cut: int) -> FloatArray:
    """Probability that one of `cut` random candidates is relevant, `[n]`."""
    return np.asarray(hypergeom.sf(0, pool, number, np.minimum(cut, pool)), dtype=np.float64)
