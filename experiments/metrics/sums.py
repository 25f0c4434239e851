"""Metrics that are functions of sums over studies, with intervals by patient.

BLEU, recall at 5 or the F1 of generated reports need no score that is ranked: a study contributes
some numbers, and the metric is a function of their sums. A bootstrap then only reweights these
sums, so one code serves the intervals and paired differences of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import FloatArray, Units, as_units, ratio
from experiments.metrics.bootstrap import (
    USUAL,
    Difference,
    Estimate,
    Plan,
    Resampled,
    Sample,
    blocks_of,
    difference,
    estimate,
)
from experiments.metrics.ranking import Counts

__all__ = [
    "Metric",
    "MetricsOf",
    "StudySums",
    "Weighted",
    "measure",
    "measure_difference",
    "once",
    "resample",
    "share",
]


@dataclass(frozen=True)
class StudySums:
    """Numbers of each study, for sums.

    Args:
        names: Their names.
        values: `[n, k]`, none of them missing.
    """

    names: tuple[str, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(f"{self.values.shape} values do not fit {len(self.names)} names")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a name stands twice among {', '.join(self.names)}")
        if not np.isfinite(self.values).all():
            raise ValueError("a number of a study is missing or infinite")

    @classmethod
    def of(cls, columns: Mapping[str, ArrayLike]) -> StudySums:
        """Columns `[n]` by name."""
        arrays = [np.asarray(column, dtype=np.float64) for column in columns.values()]
        return cls(tuple(columns), np.stack(arrays, axis=1))

    @classmethod
    def mean(cls, several: Sequence[StudySums]) -> StudySums:
        """The same numbers of several seeds, averaged study by study."""
        if any(each.names != several[0].names for each in several):
            raise ValueError("seeds with different numbers cannot be averaged")
        return cls(several[0].names, np.mean([each.values for each in several], axis=0))

    def __getitem__(self, name: str) -> FloatArray:
        return self.values[:, self.names.index(name)]

    def __or__(self, other: StudySums) -> StudySums:
        """The numbers of both about the same studies."""
        values = np.concatenate([self.values, other.values], axis=1)
        return StudySums((*self.names, *other.names), values)


@dataclass(frozen=True)
class Weighted:
    """Studies weighted by the draws of their patient.

    Args:
        numbers: Numbers of each study.
        units: Patient group of each study.
        counts: Number of draws of each group, `[r, G]`.
        sums: Sums over the studies, `[r, k]`.
    """

    numbers: StudySums
    units: Units
    counts: Counts
    sums: FloatArray

    def __getitem__(self, name: str) -> FloatArray:
        """Sum of a number over the studies, `[r]`."""
        return self.sums[:, self.numbers.names.index(name)]

    def median(self, name: str, among: str) -> FloatArray:
        """Median of a number over the studies where another one is not 0, `[r]`."""
        rows = np.flatnonzero(self.numbers[among])
        if not len(rows):
            return np.full(len(self.counts), np.nan)
        rows = rows[np.argsort(self.numbers[name][rows], kind="stable")]
        weights = np.take(self.counts, self.units.member[rows], axis=1).cumsum(axis=1)
        twice, whole = weights * 2, weights[:, -1:]
        # the two middle ones, which are the same one where the number is odd
        middle = np.stack([(twice < whole).sum(axis=1), (twice <= whole).sum(axis=1)])
        values = self.numbers[name][rows][np.minimum(middle, len(rows) - 1)].mean(axis=0)
        return np.where(weights[:, -1] > 0, values, np.nan)


Metric = Callable[[Weighted], FloatArray]
"""A metric `[r]` of weighted studies; NaN where it is undefined."""

MetricsOf = Callable[[Sequence[str]], Mapping[str, Metric]]
"""Metrics, by their names in the record of a run, of numbers with these names."""


def resample(sample: Sample, numbers: StudySums, metrics: Sequence[Metric]) -> Resampled:
    """Metrics as columns, of the studies as they are and on every resample of a sample.

    Args:
        sample: The resamples; systems on the same one can be subtracted.
        numbers: Numbers of each study, in the order of the sample's units.
        metrics: Functions of the sums.
    """
    per_group = sample.units.totals(numbers.values)

    def columns(counts: Counts) -> FloatArray:
        blocks = []
        for _, block in blocks_of(counts):
            studies = Weighted(numbers, sample.units, block, block @ per_group)
            blocks.append(np.stack([metric(studies) for metric in metrics], axis=1))
        return np.concatenate(blocks)

    without = None if sample.left_out is None else columns(sample.left_out)
    return Resampled(once(sample.units, numbers, metrics), columns(sample.counts), without)


def once(units: Units, numbers: StudySums, metrics: Sequence[Metric]) -> FloatArray:
    """Metrics of the studies as they are, `[k]`."""
    counts = np.ones((1, units.count), dtype=np.int32)
    studies = Weighted(numbers, units, counts, counts @ units.totals(numbers.values))
    return np.concatenate([metric(studies) for metric in metrics])


def measure(
    numbers: StudySums,
    metrics: Mapping[str, Metric],
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    plan: Plan = USUAL,
) -> dict[str, Estimate]:
    """Metrics by name, with intervals over patient groups.

    Sums join the folds, if there are any; patients are drawn within their fold.

    Args:
        numbers: Numbers of each study.
        metrics: Functions of the sums.
        groups: Patient group of each study, or `Units` where there are folds.
        rng: Source of the resamples.
        plan: Settings of the intervals.
    """
    resampled = resample(Sample.draw(as_units(groups), plan, rng), numbers, list(metrics.values()))
    each = zip(metrics, resampled.apart(), strict=True)
    return {name: estimate(*one.alone, plan, one.left_out) for name, one in each}


def measure_difference(
    systems: tuple[StudySums, StudySums],
    metrics: Mapping[str, Metric],
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
    plan: Plan = USUAL,
) -> dict[str, Difference]:
    """Metrics of the first system minus the second's on the same studies, resampled together.

    Args:
        systems: Numbers of each study, for both systems.
        metrics: Functions of the sums.
        groups: Patient group of each study, or `Units` where there are folds.
        rng: Source of the resamples.
        plan: Settings of the intervals.
    """
    sample = Sample.draw(as_units(groups), plan, rng)
    one, other = (resample(sample, each, list(metrics.values())) for each in systems)
    gaps = zip(metrics, one.minus(other).apart(), strict=True)
    return {name: difference(gap, plan) for name, gap in gaps}


def share(numerator: str, denominator: str) -> Metric:
    """Ratio of two sums: a share, or a mean if the denominator counts studies."""
    return lambda studies: ratio(studies[numerator], studies[denominator])
