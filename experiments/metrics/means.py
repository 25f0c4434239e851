"""Means over studies with intervals over patient groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import Units, as_units, ratio
from experiments.metrics.bootstrap import Estimate, Plan, draw_counts, estimate


def ratios(
    counted: ArrayLike,
    among: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> list[Estimate]:
    """Sum of each column over the sum of `among`: a share of counts, or a mean if it is ones.

    Args:
        counted: Numerators, `[n, k]`.
        among: Denominators, `[n]`, or `[n, k]` where each column has its own.
        groups: Patient group of each row.
        rng: Source of the resamples, which all columns share.
        plan: Settings of the intervals.

    Returns:
        One estimate for each column; NaN where the sum of `among` is 0.
    """
    units, columns = as_units(groups), np.asarray(counted, dtype=np.float64)
    width = columns.shape[1]
    sums = units.totals(np.column_stack([columns, among]))
    drawn = draw_counts(units, plan.resamples, rng) @ sums
    own = np.arange(width) + width if np.ndim(among) == 2 else np.full(width, width)
    return [
        estimate(
            float(ratio(sums[:, place].sum(), sums[:, below].sum())),
            ratio(drawn[:, place], drawn[:, below]),
            plan,
        )
        for place, below in enumerate(own)
    ]
