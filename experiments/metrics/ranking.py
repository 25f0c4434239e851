"""Ranking metrics: AUROC, average precision, macro and micro means.

A finding is sorted once (`RankedScores`); every statistic after that, of the studies as they are
or of a thousand bootstrap resamples of them, is two gathers and one cumulative sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import (
    FloatArray,
    IntArray,
    mean_of_defined,
    paired_columns,
    ratio,
)

Statistic = Literal["auroc", "auprc"]
Counts = NDArray[np.int32]


@dataclass(frozen=True)
class RankedScores:
    """Rows of one finding in ascending order of their score, positives and negatives apart.

    Args:
        positive: Group of each positive row, `[P]`.
        negative: Group of each negative row, `[M]`.
        below: Number of negatives with a lower score, for each positive, `[P]`.
        up_to: Number of negatives with a lower or equal score, for each positive, `[P]`.
        tie_start: For each positive, the first positive of the same score, `[P]`.
    """

    positive: IntArray
    negative: IntArray
    below: IntArray
    up_to: IntArray
    tie_start: IntArray

    @classmethod
    def sort(cls, labels: FloatArray, scores: FloatArray, member: IntArray) -> RankedScores:
        """Sort one finding's rows.

        Args:
            labels: 1, 0 or NaN, `[n]`; NaN rows are left out.
            scores: Scores, `[n]`.
            member: Group of each row, `[n]`; the column of `counts` it is weighted by.
        """
        order = np.argsort(scores, kind="stable")
        truth, score, group = labels[order], scores[order], member[order]
        wells, sicks = score[truth == 0], score[truth == 1]
        return cls(
            positive=group[truth == 1],
            negative=group[truth == 0],
            below=np.searchsorted(wells, sicks, side="left"),
            up_to=np.searchsorted(wells, sicks, side="right"),
            tie_start=np.searchsorted(sicks, sicks, side="left"),
        )

    def auroc(self, counts: Counts) -> FloatArray:
        """Probability that a positive outranks a negative, ties counted half.

        Args:
            counts: Number of draws of each group, `[r, G]`.

        Returns:
            `[r]`; NaN where a resample has one class only.
        """
        wells = _cumulative(counts, self.negative)
        sick = np.take(counts, self.positive, axis=1)
        beaten = np.take(wells, self.below, axis=1) + np.take(wells, self.up_to, axis=1)
        won = np.einsum("rp,rp->r", sick, beaten, dtype=np.float64) / 2
        return ratio(won, sick.sum(axis=1, dtype=np.float64) * wells[:, -1])

    def auprc(self, counts: Counts) -> FloatArray:
        """Average precision by steps (no interpolation), `[r]`; NaN where `auroc` is.

        Without a negative every order of the studies gives 1, which says nothing of the scores.
        """
        wells = _cumulative(counts, self.negative)
        sicks = _cumulative(counts, self.positive)
        hits = sicks[:, -1:] - np.take(sicks, self.tie_start, axis=1)
        alarms = hits + wells[:, -1:] - np.take(wells, self.below, axis=1)
        precision = ratio(hits.astype(np.float64), alarms)
        weight = np.diff(sicks, axis=1)
        gained = np.where(weight > 0, weight * precision, 0.0).sum(axis=1)
        return np.where(wells[:, -1] > 0, ratio(gained, sicks[:, -1]), np.nan)

    def statistic(self, name: Statistic, counts: Counts) -> FloatArray:
        """The statistic of that name for each row of `counts`, `[r]`."""
        return self.auroc(counts) if name == "auroc" else self.auprc(counts)


def auroc(labels: ArrayLike, scores: ArrayLike) -> FloatArray:
    """AUROC of each finding, `[C]`; ties count half, NaN where only one class is stated."""
    return _each_finding(labels, scores, "auroc")


def auprc(labels: ArrayLike, scores: ArrayLike) -> FloatArray:
    """Average precision of each finding, `[C]`; chance level is its `prevalence`.

    NaN where only one class is stated.
    """
    return _each_finding(labels, scores, "auprc")


def prevalence(labels: ArrayLike) -> FloatArray:
    """Share of positives among the stated labels of each finding, `[C]`."""
    truth = np.asarray(labels, dtype=np.float64)
    return mean_of_defined(truth.reshape(len(truth), -1), axis=0)


def micro(labels: ArrayLike, scores: ArrayLike, name: Statistic = "auroc") -> float:
    """The statistic over all pairs of study and finding as if they were one finding."""
    truth, score = paired_columns(labels, scores)
    return float(_each_finding(truth.ravel(), score.ravel(), name)[0])


@dataclass(frozen=True)
class Macro:
    """An unweighted mean over findings.

    Args:
        value: The mean; NaN where no finding is defined.
        defined: Names of the findings it is the mean of.
        left_out: Names of the findings that have no value.
    """

    value: float
    defined: tuple[str, ...]
    left_out: tuple[str, ...]


def macro(values: ArrayLike, findings: tuple[str, ...]) -> Macro:
    """Unweighted mean of the findings that have a value, with their names."""
    array = np.asarray(values, dtype=np.float64)
    has = ~np.isnan(array)
    return Macro(
        value=float(mean_of_defined(array)),
        defined=tuple(name for name, there in zip(findings, has, strict=True) if there),
        left_out=tuple(name for name, there in zip(findings, has, strict=True) if not there),
    )


def _each_finding(labels: ArrayLike, scores: ArrayLike, name: Statistic) -> FloatArray:
    """A statistic of the studies as they are: every row is its own group, drawn once."""
    truth, score = paired_columns(labels, scores)
    rows = np.arange(len(truth))
    once = np.ones((1, len(truth)), dtype=np.int32)
    return np.array(
        [
            RankedScores.sort(truth[:, c], score[:, c], rows).statistic(name, once)[0]
            for c in range(truth.shape[1])
        ]
    )


def _cumulative(counts: Counts, groups: IntArray) -> Counts:
    """Running total of the counts of rows in order, starting with 0, `[r, rows + 1]`."""
    total = np.zeros((len(counts), len(groups) + 1), dtype=np.int32)
    np.cumsum(np.take(counts, groups, axis=1), axis=1, out=total[:, 1:])
    return total
