"""Rank correlation of two measurements of findings, with an interval over findings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import USUAL, Estimate, Plan, estimate

__all__ = ["rank_correlation"]

FEWEST = 5
"""Least number of findings for an interval."""


def rank_correlation(
    one: ArrayLike, other: ArrayLike, *, rng: np.random.Generator, plan: Plan = USUAL
) -> Estimate:
    """Spearman's rho of two columns, with the interval of resampled rows.

    Args:
        one: A number for each finding, `[C]`.
        other: Another number for each finding, `[C]`.
        rng: Source of the resamples.
        plan: Number of resamples, and the coverage.

    Returns:
        NaN where one of the two does not vary; no interval over fewer than five findings, whose
        resamples are mostly the same few rows.
    """
    pairs = np.column_stack([one, other]).astype(np.float64)
    if len(pairs) < FEWEST:
        return Estimate(_rho(pairs) if len(pairs) else np.nan)
    picks = rng.integers(len(pairs), size=(plan.resamples, len(pairs)))
    drawn = np.array([_rho(pairs[pick]) for pick in picks])
    return estimate(_rho(pairs), drawn, plan)


def _rho(pairs: FloatArray) -> float:
    """Spearman's rho of two columns; NaN where one of them does not vary."""
    if any(len(np.unique(column)) < 2 for column in pairs.T):
        return float("nan")
    return float(spearmanr(*pairs.T).statistic)
