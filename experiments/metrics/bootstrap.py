"""Bootstrap over patient groups: intervals, and paired differences of two systems.

A resample is a row of counts (how often each patient group was drawn), so all of them are one
integer matrix, and a statistic of all of them is a few array operations on it. Groups are drawn
within their fold; a statistic is taken within each fold of each modality, then averaged over folds,
then over modalities, so that scores of two models or two modalities are never ranked together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from experiments.metrics.arrays import (
    FloatArray,
    IntArray,
    Units,
    as_units,
    mean_of_defined,
    mean_over_seeds,
    paired_columns,
)
from experiments.metrics.ranking import Counts, RankedScores, Statistic

# Resamples are taken in blocks of about this many numbers, so that a block stays in cache.
_BLOCK = 1 << 17


@dataclass(frozen=True)
class Plan:
    """Settings of an interval.

    Args:
        resamples: Number of bootstrap resamples.
        level: Coverage of the interval.
        method: Percentiles of the resamples, or bias-corrected and accelerated.
        at_least: Findings with fewer positives are not averaged into a macro value.
    """

    resamples: int = 2000
    level: float = 0.95
    method: Literal["percentile", "bca"] = "percentile"
    at_least: int = 20


USUAL = Plan()
ALL = "_all"
"""End of the name of a macro mean over all findings, also those with fewer positives than asked."""
FEWEST_PATIENTS = 50
"""Number of patients below which a bootstrap interval is too narrow."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Difference:
    """First system minus second on the same studies.

    Args:
        delta: The difference.
        low: Lower end of its interval.
        high: Upper end.
        p: Two-sided bootstrap p-value against no difference.
    """

    delta: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Intervals:
    """A statistic of each finding `[C]` and its macro mean, with intervals.

    Args:
        findings: One estimate per finding.
        macro: Unweighted mean over `averaged`.
        averaged: Positions of the findings that the macro value averages.
        macro_all: Unweighted mean over `measured`.
        measured: Positions of all findings with a value, however few positives they have.
    """

    findings: tuple[Estimate, ...]
    macro: Estimate
    averaged: tuple[int, ...]
    macro_all: Estimate
    measured: tuple[int, ...]

    @property
    def leaves_out(self) -> bool:
        """Whether the macro value leaves out findings with a value."""
        return self.measured != self.averaged


@dataclass(frozen=True)
class PairedDifferences:
    """As `Intervals`, for the difference of two systems."""

    findings: tuple[Difference, ...]
    macro: Difference
    averaged: tuple[int, ...]


@dataclass(frozen=True)
class Resampled:
    """A statistic of each finding on the studies as they are, and on every resample of them.

    Args:
        values: As they are, `[C]`.
        drawn: In each resample, `[r, C]`.
        without: With each group left out, `[G, C]`; None where the plan does not need it.
    """

    values: FloatArray
    drawn: FloatArray
    without: FloatArray | None = None

    @property
    def alone(self) -> tuple[float, FloatArray]:
        """Value and resamples `[r]` of a single column."""
        return float(self.values[0]), self.drawn[:, 0]

    @property
    def left_out(self) -> FloatArray | None:
        """Values with each group left out `[G]` of a single column."""
        return None if self.without is None else self.without[:, 0]

    def minus(self, other: Resampled) -> Resampled:
        """The difference of two systems on the same resamples."""
        without = None
        if self.without is not None and other.without is not None:
            without = self.without - other.without
        return Resampled(self.values - other.values, self.drawn - other.drawn, without)

    def apart(self) -> list[Resampled]:
        """Each finding as a column of its own."""
        return [self._take(slice(c, c + 1)) for c in range(len(self.values))]

    def mean(self, columns: IntArray) -> Resampled:
        """The mean over some findings, as one column."""
        chosen = self._take(columns)
        without = None if chosen.without is None else mean_of_defined(chosen.without)[:, None]
        return Resampled(
            mean_of_defined(chosen.values)[None], mean_of_defined(chosen.drawn)[:, None], without
        )

    def _take(self, columns: IntArray | slice) -> Resampled:
        without = None if self.without is None else self.without[:, columns]
        return Resampled(self.values[columns], self.drawn[:, columns], without)


@dataclass(frozen=True)
class Sample:
    """The resamples of one set of studies: drawn once, every system is measured on the same.

    Args:
        units: Grouping of rows.
        counts: Number of draws of each group in each resample, `[r, G]`.
        left_out: Each group left out once, `[G, G]`, where the plan needs it.
    """

    units: Units
    counts: Counts
    left_out: Counts | None

    @classmethod
    def draw(cls, units: Units, plan: Plan, rng: np.random.Generator) -> Sample:
        """Draw the resamples a plan asks for."""
        size = units.count
        left_out = None
        if plan.method == "bca":
            left_out = np.ones((size, size), dtype=np.int32) - np.eye(size, dtype=np.int32)
        return cls(units, draw_counts(units, plan.resamples, rng), left_out)

    def once(self, labels: FloatArray, scores: FloatArray, name: Statistic) -> FloatArray:
        """The statistic of the studies as they are, `[C]`."""
        counts = np.ones((1, self.units.count), dtype=np.int32)
        row: FloatArray = replicates(labels, scores, self.units, counts, name)[0]
        return row

    def statistic(self, labels: FloatArray, scores: FloatArray, name: Statistic) -> Resampled:
        """The statistic of labels and scores `[n, C]`, as they are and resampled."""
        drawn = replicates(labels, scores, self.units, self.counts, name)
        without = None
        if self.left_out is not None:
            without = replicates(labels, scores, self.units, self.left_out, name)
        return Resampled(self.once(labels, scores, name), drawn, without)


def draw_counts(units: Units, resamples: int, rng: np.random.Generator) -> Counts:
    """Number of draws of each group in each resample, `[resamples, G]`, within folds."""
    counts = np.zeros((resamples, units.count), dtype=np.int32)
    offset = np.arange(resamples)[:, None]
    for stratum in units.strata:
        size = len(stratum)
        drawn = rng.integers(0, size, size=(resamples, size)) + offset * size
        block = np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size)
        counts[:, stratum] = block
    return counts


def replicates(
    labels: FloatArray, scores: FloatArray, units: Units, counts: Counts, name: Statistic = "auroc"
) -> FloatArray:
    """The statistic of each finding in each resample, `[r, C]`; NaN where it is undefined."""
    columns = [
        [
            [
                RankedScores.sort(labels[rows, c], scores[rows, c], units.member[rows])
                for rows in modality
            ]
            for modality in units.cells
        ]
        for c in range(labels.shape[1])
    ]
    result = np.empty((len(counts), labels.shape[1]))
    for start, block in blocks_of(counts):
        for c, modalities in enumerate(columns):
            within = [
                mean_of_defined([cell.statistic(name, block) for cell in modality], axis=0)
                for modality in modalities
            ]
            result[start : start + len(block), c] = mean_of_defined(within, axis=0)
    return result


def averaged_findings(labels: FloatArray, values: FloatArray, at_least: int) -> IntArray:
    """Positions of findings with a value and at least that many positives."""
    positives = np.nansum(labels, axis=0)
    return np.flatnonzero((positives >= at_least) & ~np.isnan(values))


def bootstrap(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    name: Statistic = "auroc",
    plan: Plan = USUAL,
) -> Intervals:
    """A ranking statistic of each finding and its macro mean, with intervals over groups.

    Args:
        labels: 1, 0 or NaN, `[n, C]`.
        scores: Scores, `[n, C]`, or `[seeds, n, C]` to be averaged over seeds first.
        groups: Patient group of each row, or `Units` if there are folds or modalities.
        rng: Source of the resamples.
        name: Name of the statistic.
        plan: Settings of the interval.
    """
    truth, score = paired_columns(labels, mean_over_seeds(scores))
    sample = Sample.draw(as_units(groups), plan, rng)
    return intervals(truth, sample.statistic(truth, score, name), plan)


def paired(
    labels: ArrayLike,
    systems: tuple[ArrayLike, ArrayLike],
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    name: Statistic = "auroc",
    plan: Plan = USUAL,
) -> PairedDifferences:
    """First system minus second on the same studies, resampled together.

    With folds in `groups` the statistic is the mean over folds of what is within each; with
    modalities it is the mean over them (the *together* value of several modalities).

    Args:
        labels: 1, 0 or NaN, `[n, C]`.
        systems: Scores of both systems, each `[n, C]` or `[seeds, n, C]`. A pair of study and
            finding counts only where both systems have a score.
        groups: Patient group of each row, or `Units` if there are folds or modalities.
        rng: Source of the resamples.
        name: Name of the statistic.
        plan: Settings of the interval.
    """
    truth, first = paired_columns(labels, mean_over_seeds(systems[0]))
    _, second = paired_columns(labels, mean_over_seeds(systems[1]))
    # A row without one of the two scores counts for neither system.
    truth = np.where(np.isnan(first) | np.isnan(second), np.nan, truth)
    sample = Sample.draw(as_units(groups), plan, rng)
    one, other = (sample.statistic(truth, score, name) for score in (first, second))
    return differences(truth, one.minus(other), plan)


def intervals(labels: FloatArray, found: Resampled, plan: Plan) -> Intervals:
    """Estimates of each finding and of their macro mean.

    Args:
        labels: The labels the statistic was taken with, `[n, C]`.
        found: The statistic and its resamples.
        plan: Settings of the interval.
    """
    averaged = averaged_findings(labels, found.values, plan.at_least)
    measured = averaged_findings(labels, found.values, 1)
    each, whole, every = found.apart(), found.mean(averaged), found.mean(measured)
    return Intervals(
        findings=tuple(estimate(*one.alone, plan, one.left_out) for one in each),
        macro=estimate(*whole.alone, plan, whole.left_out),
        averaged=tuple(int(c) for c in averaged),
        macro_all=estimate(*every.alone, plan, every.left_out),
        measured=tuple(int(c) for c in measured),
    )


def differences(labels: FloatArray, gap: Resampled, plan: Plan) -> PairedDifferences:
    """As `intervals`, of one system minus another on the same resamples.

    Args:
        labels: The labels, NaN wherever one of the two systems has no score, `[n, C]`.
        gap: The one system's statistic `minus` the other's.
        plan: Settings of the interval.
    """
    averaged = averaged_findings(labels, gap.values, plan.at_least)
    each, whole = gap.apart(), gap.mean(averaged)
    return PairedDifferences(
        findings=tuple(difference(one, plan) for one in each),
        macro=difference(whole, plan),
        averaged=tuple(int(c) for c in averaged),
    )


def estimate(
    value: float, drawn: FloatArray, plan: Plan, without: FloatArray | None = None
) -> Estimate:
    """A value with the interval of its resamples.

    Args:
        value: The value on the studies as they are.
        drawn: The value in each resample, `[r]`; undefined ones are left out.
        plan: Level and method.
        without: The value with each group left out, `[G]`; needed by `bca`.

    Returns:
        No interval where the value, or more than half of the resamples, is undefined.
    """
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(defined) * 2 < len(drawn) or len(defined) == 0:
        return Estimate(float(value))
    tail = (1 - plan.level) / 2
    ends = np.array([tail, 1 - tail])
    if plan.method == "bca" and without is not None:
        ends = _corrected_ends(ends, value, defined, without)
    low, high = np.quantile(defined, ends)
    return Estimate(float(value), float(low), float(high))


def difference(gap: Resampled, plan: Plan) -> Difference:
    """A difference of a single column with interval and two-sided p-value."""
    value, drawn = gap.alone
    interval = estimate(value, drawn, plan, gap.left_out)
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(interval.low):
        return Difference(interval.value, np.nan, np.nan, np.nan)
    # One is added so that a finite number of resamples never claims p = 0.
    under = (1 + np.sum(defined <= 0)) / (1 + len(defined))
    over = (1 + np.sum(defined >= 0)) / (1 + len(defined))
    p = float(min(1.0, 2 * min(under, over)))
    return Difference(interval.value, interval.low, interval.high, p)


def _corrected_ends(
    ends: FloatArray, value: float, drawn: FloatArray, without: FloatArray
) -> FloatArray:
    """The two quantiles to read, corrected for bias and skew (BCa)."""
    share = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2
    bias = ndtri(np.clip(share, 1 / (len(drawn) + 1), len(drawn) / (len(drawn) + 1)))
    pull = np.nanmean(without) - without[~np.isnan(without)]
    spread = np.sum(pull**2) ** 1.5
    skew = np.sum(pull**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(ends)
    return np.asarray(ndtr(bias + shifted / (1 - skew * shifted)))


def blocks_of(counts: Counts) -> Iterator[tuple[int, Counts]]:
    """Rows of counts in blocks that fit the cache, each with the place it starts at."""
    size = max(1, _BLOCK // max(1, counts.shape[1]))
    for start in range(0, len(counts), size):
        yield start, counts[start : start + size]
