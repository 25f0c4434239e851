"""Consistency of predictions: child and parent findings, No Finding and other findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import BoolArray, Units
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.means import ratios


class NoFinding(NamedTuple):
    """Agreement of predictions of No Finding with those of findings.

    Args:
        contradiction: Share of studies with No Finding and a finding both positive.
        neither: Share of studies with neither positive.
    """

    contradiction: Estimate
    neither: Estimate


def consistency(
    probabilities: ArrayLike,
    pairs: Sequence[tuple[int, int]],
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    tolerance: float,
    rng: np.random.Generator,
    plan: Plan,
) -> Estimate:
    """Share of answers where a narrower finding is at most as probable as its broader one.

    Args:
        probabilities: `[n, C]`; an answer with a NaN on either side is left out.
        pairs: Columns of (child, parent); every pair of every study counts once.
        groups: Patient group of each row.
        tolerance: Largest excess of a child over its parent that still agrees.
        rng: Source of the resamples.
        plan: Settings of the interval.

    Returns:
        NaN where there is nothing to compare.
    """
    score = np.asarray(probabilities, dtype=np.float64)
    if not len(pairs):
        return Estimate(np.nan)
    children, parents = (score[:, list(columns)] for columns in zip(*pairs, strict=True))
    known = ~np.isnan(children) & ~np.isnan(parents)
    agrees: BoolArray = known & (children <= parents + tolerance)
    (rate,) = ratios(agrees.sum(1, keepdims=True), known.sum(1), groups, rng=rng, plan=plan)
    return rate


def no_finding_agreement(
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    columns: tuple[int, Sequence[int]],
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> NoFinding:
    """Shares of studies with No Finding and a finding both above threshold, and with neither.

    Args:
        probabilities: `[n, C]`.
        thresholds: Decision threshold of each finding, `[C]`; NaN = no decision.
        columns: Column of No Finding, and columns of the findings that exclude it.
        groups: Patient group of each row.
        rng: Source of the resamples.
        plan: Settings of the intervals.

    Returns:
        NaN where No Finding, or every finding, is without a decision.
    """
    no_finding, abnormal = columns
    score, cuts = (np.asarray(values, dtype=np.float64) for values in (probabilities, thresholds))
    decided: BoolArray = ~np.isnan(score + cuts)
    above: BoolArray = np.greater_equal(score, cuts)
    normal, ill = above[:, no_finding], above[:, list(abnormal)].any(1)
    judged = decided[:, no_finding] & decided[:, list(abnormal)].any(1)
    counted = np.column_stack([judged & normal & ill, judged & ~normal & ~ill])
    return NoFinding(*ratios(counted, judged, groups, rng=rng, plan=plan))
