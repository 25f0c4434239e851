"""Paired statistics: all systems on the same resamples, all pairs on the same studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
from scipy.stats import ttest_1samp

from experiments.compare.align import Aligned, Arm
from experiments.compare.records import (
    METRICS,
    Difference,
    Family,
    Seeds,
    Verdict,
)
from experiments.metrics import bootstrap
from experiments.metrics.arrays import BoolArray, FloatArray, Units, mean_of_defined
from experiments.metrics.bootstrap import ALL, Intervals, Plan, Resampled, Sample
from experiments.metrics.curves import Kind, curve
from experiments.metrics.delong import delong
from experiments.metrics.holm import holm
from experiments.metrics.ranking import Statistic
from experiments.metrics.table import brier_mean
from experiments.records.record import Measured, defined

__all__ = ["Scores", "corrected", "over_all", "over_seeds"]

_FEWEST_SEEDS = 3


@dataclass
class Scores:
    """Scores of all systems, and their cached statistics.

    Args:
        aligned: Systems on the same studies.
        parts: Modality each study is ranked within, or None.
        metric: Compared metric.
        plan: Number of resamples and fewest positives.
    """

    aligned: Aligned
    parts: Sequence[str] | None
    metric: str
    plan: Plan
    _cache: dict[tuple[str, bytes, Statistic], Resampled] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.units: Units = self.aligned.units(self.parts)
        self.sample = Sample.draw(self.units, self.plan, np.random.default_rng(0))
        self.truth = _enough(self.aligned.labels, self.parts, self.plan.at_least)

    def labels_for(self, *arms: Arm) -> FloatArray:
        """Labels `[n, C]` that are stated, frequent enough in their modality and scored by all."""
        missing = np.any([np.isnan(arm.scores).any(axis=0) for arm in arms], axis=0)
        return np.where(missing, np.nan, self.truth)

    def intervals(self, arm: Arm, name: Statistic) -> Intervals:
        """A statistic of one system with its intervals."""
        labels = self.labels_for(arm)
        return bootstrap.intervals(labels, self._resampled(arm, labels, name), self.plan)

    def brier(self, arm: Arm, averaged: Sequence[int]) -> Measured:
        """Mean Brier score over the averaged findings."""
        columns, labels = list(averaged), self.labels_for(arm)
        score = np.where(np.isnan(labels), np.nan, arm.scores.mean(axis=0))
        counts = self.sample.counts
        mean = brier_mean(labels[:, columns], score[:, columns], self.units, counts, self.plan)
        return Measured.of(mean.value, mean.low, mean.high, len(columns))

    def curve(self, arm: Arm, column: int, kind: Kind) -> tuple[float, ...]:
        """A finding's curve, mean over folds and modalities: scores of two are never ranked."""
        labels, score = self.labels_for(arm)[:, column], arm.scores.mean(axis=0)[:, column]
        cells = list(zip(self.aligned.folds, self.parts or repeat(""), strict=False))
        lines = []
        for cell in dict.fromkeys(cells):
            rows = [place for place, other in enumerate(cells) if other == cell]
            rng = np.random.default_rng(0)
            line = curve(labels[rows], score[rows], rows, kind=kind, rng=rng, resamples=0)
            if line is not None:
                lines.append(line.y)
        return tuple(np.mean(lines, axis=0).round(4).tolist()) if lines else ()

    def by_seed(self, arm: Arm, labels: FloatArray, averaged: Sequence[int]) -> FloatArray:
        """Compared metric of each seed, `[seeds]`."""
        return mean_of_defined(self._each_seed(arm, labels)[:, list(averaged)])

    def pair(self, first: Arm, second: Arm, family: Family) -> list[Difference]:
        """Difference of the macro means, then of each finding, not yet corrected."""
        labels = self.labels_for(first, second)
        gap, seeds = self._gap(first, second)
        gaps = bootstrap.differences(labels, gap, self.plan)
        positives = np.nansum(labels, axis=0).astype(int)
        averaged = list(gaps.averaged)
        macro = self._difference(first, second, gaps.macro)
        single = averaged[0] if len(averaged) == 1 else None
        differences = [
            replace(
                macro,
                family=family,
                metric=self.metric,
                positives=int(positives[averaged].sum()),
                p_delong=self._delong(first, second, labels, single),
                by_seed=over_seeds(mean_of_defined(seeds[:, averaged]), test=True),
            )
        ]
        for column, finding in enumerate(self.aligned.findings):
            differences.append(
                replace(
                    self._difference(first, second, gaps.findings[column]),
                    finding=finding,
                    positives=int(positives[column]),
                    p_delong=self._delong(first, second, labels, column),
                    by_seed=over_seeds(seeds[:, column], test=True),
                    verdict="not shown" if column in averaged else "too few",
                )
            )
        return differences

    def over_all(self, first: Arm, second: Arm) -> Difference | None:
        """Difference of the means over all findings, however few their positives.

        None where it is that over the findings with enough.
        """
        labels = self.labels_for(first, second)
        gap, seeds = self._gap(first, second)
        averaged, measured = (
            bootstrap.averaged_findings(labels, gap.values, fewest)
            for fewest in (self.plan.at_least, 1)
        )
        if len(averaged) == len(measured):
            return None
        mean = bootstrap.difference(gap.mean(measured), self.plan)
        return replace(
            self._difference(first, second, mean),
            family="all findings",
            metric=self.metric + ALL,
            positives=int(np.nansum(labels[:, measured])),
            by_seed=over_seeds(mean_of_defined(seeds[:, measured]), test=True),
        )

    def over_rare_and_common(
        self, first: Arm, second: Arm, rare: Sequence[int], common: Sequence[int]
    ) -> list[Difference]:
        """Difference over the rare findings, over the common ones, and rare minus common.

        Args:
            first: One system.
            second: The other.
            rare: Columns of the rare findings.
            common: Columns of the common ones.
        """
        labels = self.labels_for(first, second)
        gap, seeds = self._gap(first, second)
        averaged = bootstrap.averaged_findings(labels, gap.values, self.plan.at_least)
        halves = [np.intersect1d(columns, averaged) for columns in (rare, common)]
        means = [gap.mean(columns) for columns in halves]
        alone = [mean_of_defined(seeds[:, columns]) for columns in halves]
        positives = [int(np.nansum(labels[:, columns])) for columns in halves]
        groups = (
            ("rare", means[0], alone[0], positives[0]),
            ("common", means[1], alone[1], positives[1]),
            ("rare minus common", means[0].minus(means[1]), alone[0] - alone[1], sum(positives)),
        )
        return [
            replace(
                self._difference(first, second, bootstrap.difference(each, self.plan)),
                family="rarity",
                metric=self.metric,
                positives=count,
                by_seed=over_seeds(values, test=True),
                over=over,
            )
            for over, each, values, count in groups
        ]

    def _gap(self, first: Arm, second: Arm) -> tuple[Resampled, FloatArray]:
        """First system minus the second: resampled, and for each seed `[seeds, C]`."""
        labels, statistic = self.labels_for(first, second), METRICS[self.metric]
        one, other = (self._resampled(arm, labels, statistic) for arm in (first, second))
        seeds = self._each_seed(first, labels) - self._each_seed(second, labels)
        return one.minus(other), seeds

    def _difference(self, first: Arm, second: Arm, gap: bootstrap.Difference) -> Difference:
        """Difference of a finding with its bootstrap interval and p."""
        return Difference(
            first=first.name,
            second=second.name,
            family="findings",
            metric=METRICS[self.metric],
            finding="",
            positives=0,
            value=Measured.of(gap.delta, gap.low, gap.high),
            p=defined(gap.p),
            p_holm=None,
            p_delong=None,
            by_seed=Seeds(),
            verdict="too few" if np.isnan(gap.delta) else "not shown",
        )

    def _resampled(self, arm: Arm, labels: FloatArray, name: Statistic) -> Resampled:
        """A statistic of a system, cached by its labels."""
        key = (arm.name, np.packbits(np.isnan(labels)).tobytes(), name)
        if key not in self._cache:
            self._cache[key] = self.sample.statistic(labels, arm.scores.mean(axis=0), name)
        return self._cache[key]

    def _each_seed(self, arm: Arm, labels: FloatArray) -> FloatArray:
        """Statistic of each finding for each seed, `[seeds, C]`."""
        name = METRICS[self.metric]
        return np.stack([self.sample.once(labels, score, name) for score in arm.scores])

    def _delong(
        self, first: Arm, second: Arm, labels: FloatArray, column: int | None
    ) -> float | None:
        """DeLong's p of one finding, where rows are patients and all are ranked together."""
        ranked_together = len(self.units.strata) == 1 and len(self.units.cells) == 1
        if column is None or METRICS[self.metric] != "auroc" or not ranked_together:
            return None
        if self.units.count != len(labels):
            return None
        scores = np.stack([arm.scores.mean(axis=0)[:, column] for arm in (first, second)])
        return defined(delong(labels[:, column], scores).difference().p)


def over_all(scores: Scores, pairs: Sequence[tuple[Arm, Arm]]) -> tuple[Difference, ...]:
    """Differences over all findings of the pairs that leave some out, corrected together."""
    every = (scores.over_all(first, second) for first, second in pairs)
    return tuple(corrected([one for one in every if one is not None], scores.plan.level))


def over_seeds(values: FloatArray, *, test: bool = False) -> Seeds:
    """Values of the seeds with mean, deviation and, for `test`, the t test against zero."""
    if not len(values) or np.isnan(values).any():
        return Seeds()
    several = len(values) > 1 and bool(np.ptp(values) > 0)
    p = ttest_1samp(values, 0.0).pvalue if test and several else np.nan
    return Seeds(
        values=tuple(float(value) for value in values),
        mean=float(np.mean(values)),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        p=defined(p) if len(values) >= _FEWEST_SEEDS else None,
    )


def corrected(differences: Sequence[Difference], level: float) -> Iterator[Difference]:
    """Holm correction of one family, with verdicts.

    Findings with too few positives are not tested and not counted among the tests.
    """
    tested = [d.p if d.verdict != "too few" else None for d in differences]
    after = holm([np.nan if p is None else p for p in tested])
    for difference, p in zip(differences, after, strict=True):
        verdict = _verdict(difference, bool(p < 1 - level))
        yield replace(difference, p_holm=defined(float(p)), verdict=verdict)


def _verdict(difference: Difference, holds: bool) -> Verdict:
    """Verdict; never a win where the interval includes zero."""
    low, high = difference.value.low, difference.value.high
    if difference.verdict == "too few":
        return "too few"
    if not holds or low is None or high is None:
        return "not shown"
    return "higher" if low > 0 else "lower" if high < 0 else "not shown"


def _enough(labels: FloatArray, parts: Sequence[str] | None, at_least: int) -> FloatArray:
    """Labels, NaN for findings with too few positives in a modality."""
    if parts is None:
        return labels
    kept, where = labels.copy(), np.asarray(parts, dtype=object)
    for modality in np.unique(where):
        rows: BoolArray = where == modality
        few = np.nansum(labels[rows], axis=0) < at_least
        kept[np.ix_(rows, few)] = np.nan
    return kept
