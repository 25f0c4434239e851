"""Whether answers agree with each other: child under parent, and No Finding against findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from experiments.metrics.arrays import BoolArray


def consistency_rate(
    probabilities: ArrayLike, pairs: Sequence[tuple[int, int]], *, tolerance: float = 0.0
) -> float:
    """Share of answers where a narrower finding is at most as probable as its broader one.

    Args:
        probabilities: `[n, C]`; an answer with a NaN on either side is left out.
        pairs: Columns of (child, parent) for each `is_a` edge between findings asked for.
        tolerance: How far a child may exceed its parent and still agree.

    Returns:
        NaN where there is nothing to compare.
    """
    score = np.asarray(probabilities, dtype=np.float64)
    if not len(pairs):
        return float("nan")
    children, parents = (score[:, list(columns)] for columns in zip(*pairs, strict=True))
    known = ~np.isnan(children) & ~np.isnan(parents)
    return _rate(np.asarray(children <= parents + tolerance), known)


def contradiction_rate(
    probabilities: ArrayLike, thresholds: ArrayLike, no_finding: int, abnormal: Sequence[int]
) -> float:
    """Share of studies said to have no finding that are said to have a finding as well.

    Args:
        probabilities: `[n, C]`.
        thresholds: Decision threshold of each finding, `[C]`; NaN = no decision.
        no_finding: Column of No Finding.
        abnormal: Columns disjoint with it.

    Returns:
        NaN where no study is said to have no finding.
    """
    score = np.asarray(probabilities, dtype=np.float64)
    yes: BoolArray = np.greater_equal(score, np.asarray(thresholds, dtype=np.float64))
    return _rate(np.asarray(yes[:, list(abnormal)].any(axis=1)), yes[:, no_finding])


def _rate(holds: BoolArray, among: BoolArray) -> float:
    """Share of `among` that holds; NaN where there is none."""
    total = among.sum()
    return float((holds & among).sum() / total) if total else float("nan")
