"""AUROC of one finding with DeLong's variance, and the paired test of systems on the same studies.

DeLong, DeLong and Clarke-Pearson 1988; from midranks as Sun and Xu 2014; where a patient has
several rows, the clustered form of Obuchowski 1997, which equals DeLong's with one row each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from experiments.metrics.arrays import FloatArray, IntArray, as_units
from experiments.metrics.bootstrap import Difference, Estimate


@dataclass(frozen=True)
class DeLong:
    """AUROC of one or more systems on the same rows, with their covariance.

    Args:
        auroc: `[k]`; NaN where only one class is stated.
        covariance: Covariance of the AUROCs, `[k, k]`; NaN with fewer than two groups of a class.
    """

    auroc: FloatArray
    covariance: FloatArray

    def interval(self, system: int = 0, level: float = 0.95) -> Estimate:
        """AUROC of a system with its normal interval, cut to [0, 1]."""
        value = float(self.auroc[system])
        half = float(ndtri((1 + level) / 2)) * math.sqrt(self.covariance[system, system])
        if np.isnan(half):
            return Estimate(value)
        return Estimate(value, max(0.0, value - half), min(1.0, value + half))

    def difference(self, first: int = 0, second: int = 1, level: float = 0.95) -> Difference:
        """AUROC of the first system minus the second's, with interval and two-sided p."""
        contrast = np.zeros(len(self.auroc))
        contrast[first], contrast[second] = 1, -1
        delta = float(self.auroc[first] - self.auroc[second])
        deviation = math.sqrt(max(float(contrast @ self.covariance @ contrast), 0.0))
        if np.isnan(self.covariance).any():
            return Difference(delta, np.nan, np.nan, np.nan)
        half = float(ndtri((1 + level) / 2)) * deviation
        if deviation == 0:
            p = 1.0 if delta == 0 else 0.0
        else:
            p = float(2 * ndtr(-abs(delta) / deviation))
        return Difference(delta, delta - half, delta + half, p)


def delong(
    labels: ArrayLike, scores: ArrayLike, groups: Sequence[Any] | NDArray[Any] | None = None
) -> DeLong:
    """AUROCs of systems on the same rows of one finding, with their covariance.

    Args:
        labels: 1, 0 or NaN, `[n]`.
        scores: Scores of one system `[n]` or of several `[k, n]`; a row where any is NaN is left
            out for all.
        groups: Patient group of each row; None where every row is its own patient.
    """
    truth = np.asarray(labels, dtype=np.float64)
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    kept = ~np.isnan(truth) & ~np.isnan(table).any(axis=0)
    keys = np.arange(len(truth)) if groups is None else np.asarray(groups)
    truth, table = truth[kept], table[:, kept]
    sick, well = truth == 1, truth == 0
    if not sick.any() or not well.any():
        nothing = np.full((len(table), len(table)), np.nan)
        return DeLong(nothing[0].copy(), nothing)
    of_sick, of_well = _placements(table[:, sick], table[:, well])
    auroc = of_sick.mean(axis=1)
    member = as_units(keys[kept]).member
    covariance = _clustered(
        of_sick - auroc[:, None], of_well - auroc[:, None], member[sick], member[well]
    )
    return DeLong(auroc, covariance)


def _placements(sick: FloatArray, well: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of negatives each positive outranks `[k, P]`, of positives that outrank each negative.

    A row's midrank among all less its midrank among its own class is how many of the other
    class it outranks, ties counted half.
    """
    positives, negatives = sick.shape[1], well.shape[1]
    ranks = rankdata(np.concatenate([sick, well], axis=1), axis=1)
    of_sick = (ranks[:, :positives] - rankdata(sick, axis=1)) / negatives
    of_well = 1 - (ranks[:, positives:] - rankdata(well, axis=1)) / positives
    return of_sick, of_well


def _clustered(
    sick: FloatArray, well: FloatArray, sick_group: IntArray, well_group: IntArray
) -> FloatArray:
    """Covariance from centred placements `[k, P]` and `[k, M]` summed within groups."""
    groups = int(max(sick_group.max(), well_group.max())) + 1
    sick_groups, well_groups = len(np.unique(sick_group)), len(np.unique(well_group))
    if min(sick_groups, well_groups) < 2:
        return np.full((len(sick), len(sick)), np.nan)
    by_sick = _summed(sick, sick_group, groups) / sick.shape[1]
    by_well = _summed(well, well_group, groups) / well.shape[1]
    cross = by_sick @ by_well.T
    return np.asarray(
        by_sick @ by_sick.T * sick_groups / (sick_groups - 1)
        + by_well @ by_well.T * well_groups / (well_groups - 1)
        + (cross + cross.T) * groups / (groups - 1)
    )


def _summed(values: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Sums of `[k, rows]` within groups, `[k, groups]`."""
    return np.array([np.bincount(group, weights=row, minlength=groups) for row in values])
