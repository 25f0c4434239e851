"""Means over studies with intervals over patient groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import Units, as_units
from experiments.metrics.bootstrap import Estimate, Plan, draw_counts, estimate


def ratios(
    parts: ArrayLike,
    among: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> list[Estimate]:
    """Sum of each column over the sum of `among`: a share of counts, or a mean where it is ones.

    Args:
        parts: `[n, k]`.
        among: What they are a part of, `[n]`.
        groups: Patient group of each row.
        rng: Source of the resamples, which all columns share.
        plan: How the intervals are made.

    Returns:
        One estimate a column; NaN where the sum of `among` is 0.
    """
    units, columns = as_units(groups), np.asarray(parts, dtype=np.float64)
    sums = np.zeros((units.count, columns.shape[1] + 1))
    np.add.at(sums, units.member, np.column_stack([columns, among]))
    drawn = draw_counts(units, plan.resamples, rng) @ sums
    return [
        estimate(
            float(_ratio(sums[:, place].sum(), sums[:, -1].sum())),
            _ratio(drawn[:, place], drawn[:, -1]),
            plan,
        )
        for place in range(columns.shape[1])
    ]


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """`part / whole`, NaN where there is no whole."""
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(above, below, out=np.full_like(below, np.nan), where=below > 0)
