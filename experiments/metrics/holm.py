"""Holm's correction of p-values for several tests made at once (Holm 1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from experiments.metrics.arrays import FloatArray


def holm(p: ArrayLike) -> FloatArray:
    """P-values `[m]` after Holm; NaN = not tested, and not counted.

    The smallest is multiplied by the number of tests, the next by one fewer, and so on, each at
    least the one before it and at most 1. What is below 0.05 after it holds for all together.
    """
    values = np.asarray(p, dtype=np.float64)
    made = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    made[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return made
