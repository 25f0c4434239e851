"""Metrics in a subgroup of studies: ranking, misses and false alarms at fixed thresholds.

The underdiagnosis rate is that of Seyyed-Kalantari 2021: the share of ill studies called healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import BoolArray, FloatArray, Units, as_units, mean_of_defined
from experiments.metrics.bootstrap import Estimate, Plan, bootstrap, draw_counts, estimate
from experiments.metrics.decisions import outcomes
from experiments.metrics.delong import delong

__all__ = ["FindingInSubgroup", "Subgroup", "Underdiagnosis", "measure_subgroup"]

_BLOCK = 1 << 22


@dataclass(frozen=True)
class FindingInSubgroup:
    """One finding in a subgroup.

    Args:
        studies: Studies with a stated label and an answer.
        positives: Of them, with the finding.
        too_few: True with fewer positives than `at_least`; the rest is then NaN.
        auroc: AUROC with its DeLong interval, clustered by patient.
        missed: Share of positives below the threshold (false negative rate), with its interval
            over patient groups.
        alarms: Share of negatives at or above it (false positive rate), likewise.
    """

    studies: int
    positives: int
    too_few: bool
    auroc: Estimate
    missed: Estimate
    alarms: Estimate


@dataclass(frozen=True)
class Underdiagnosis:
    """Ill studies called healthy.

    Args:
        ill: Number of ill studies that were decided on.
        rate: Share of them called healthy.
    """

    ill: int
    rate: Estimate


@dataclass(frozen=True)
class Subgroup:
    """A subgroup.

    Args:
        studies: Number of studies.
        patients: Number of patient groups.
        findings: One for each finding.
        averaged: Columns of the findings with enough positives here.
        auroc: Mean over `averaged`, with intervals over patient groups; as the following two.
        missed: Mean false negative rate.
        alarms: Mean false positive rate.
        underdiagnosis: Ill studies called healthy, over all findings.
    """

    studies: int
    patients: int
    findings: tuple[FindingInSubgroup, ...]
    averaged: tuple[int, ...]
    auroc: Estimate
    missed: Estimate
    alarms: Estimate
    underdiagnosis: Underdiagnosis


def measure_subgroup(
    labels: FloatArray,
    probabilities: FloatArray,
    thresholds: ArrayLike,
    patients: Sequence[Any] | NDArray[Any],
    *,
    no_finding: int | None,
    plan: Plan,
    seed: int = 0,
) -> Subgroup:
    """Measure the studies of a subgroup.

    Args:
        labels: 1, 0 or NaN, `[n, C]`.
        probabilities: `[n, C]`, NaN = not possible.
        thresholds: Fixed threshold of each finding, `[C]`; NaN = no decision.
        patients: Patient group of each study.
        no_finding: Column of No Finding; None without it. A study is then ill
            that has a finding, and called healthy where none reaches its threshold.
        plan: Settings of the intervals, and the least number of positives of a finding.
        seed: Seed of the resamples.
    """
    keys = np.asarray(patients, dtype=object)
    units = as_units(keys)
    ranked = bootstrap(
        labels, probabilities, units, rng=np.random.default_rng(seed), name="auroc", plan=plan
    )
    counts = draw_counts(units, plan.resamples, np.random.default_rng(seed))
    tp, fp, tn, fn = outcomes(labels, probabilities, thresholds)
    healthy, ill = _called_healthy(labels, probabilities, thresholds, no_finding)
    missed, alarms, under = (
        _Shares.of(counted, among, units, counts)
        for counted, among in (
            (fn, tp | fn),
            (fp, fp | tn),
            ((healthy & ill)[:, None], ill[:, None]),
        )
    )
    return Subgroup(
        studies=len(labels),
        patients=units.count,
        findings=tuple(
            _finding(
                labels[:, c],
                probabilities[:, c],
                keys,
                (missed.mean([c], plan), alarms.mean([c], plan)),
                plan.at_least,
            )
            for c in range(labels.shape[1])
        ),
        averaged=ranked.averaged,
        auroc=ranked.macro,
        missed=missed.mean(ranked.averaged, plan),
        alarms=alarms.mean(ranked.averaged, plan),
        underdiagnosis=Underdiagnosis(int(ill.sum()), under.mean([0], plan)),
    )


def _finding(
    labels: FloatArray,
    scores: FloatArray,
    patients: NDArray[Any],
    rates: tuple[Estimate, Estimate],
    at_least: int,
) -> FindingInSubgroup:
    """One finding with its rates of misses and alarms; nothing where positives are too few."""
    known = ~np.isnan(labels) & ~np.isnan(scores)
    positives = int(labels[known].sum())
    if positives < at_least:
        nothing = Estimate(np.nan)
        return FindingInSubgroup(int(known.sum()), positives, True, nothing, nothing, nothing)
    return FindingInSubgroup(
        studies=int(known.sum()),
        positives=positives,
        too_few=False,
        auroc=delong(labels, scores, patients).interval(),
        missed=rates[0],
        alarms=rates[1],
    )


def _called_healthy(
    labels: FloatArray, probabilities: FloatArray, thresholds: ArrayLike, no_finding: int | None
) -> tuple[BoolArray, BoolArray]:
    """True for studies called healthy `[n]`, and for ill studies with a decision `[n]`."""
    cuts = np.asarray(thresholds, dtype=np.float64)
    reached = np.greater_equal(probabilities, cuts)
    decided = ~np.isnan(probabilities + cuts)
    if no_finding is None:
        ill: BoolArray = (labels == 1).any(axis=1) & decided.any(axis=1)
        return np.logical_not(reached.any(axis=1)), ill
    return reached[:, no_finding], (labels[:, no_finding] == 0) & decided[:, no_finding]


@dataclass(frozen=True)
class _Shares:
    """Shares of some rows among others, column by column.

    Args:
        value: Of the studies as they are, `[C]`; NaN where there are none of the others.
        drawn: In each resample, `[r, C]`.
    """

    value: FloatArray
    drawn: FloatArray

    @classmethod
    def of(
        cls, counted: BoolArray, among: BoolArray, units: Units, counts: NDArray[Any]
    ) -> _Shares:
        """Share of `counted` among `among`, both `[n, C]`, in resamples `counts` `[r, G]`."""
        sums = [_summed(rows, units) for rows in (counted, among)]

        def share(drawn: NDArray[Any]) -> FloatArray:
            above, below = (drawn @ each for each in sums)
            shares = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
            return np.asarray(shares)

        # As floats the counts of all resamples would fill the memory.
        blocks = np.array_split(counts, 1 + counts.size // _BLOCK)
        drawn = np.concatenate([share(block.astype(np.float64)) for block in blocks])
        return cls(share(np.ones((1, units.count)))[0], drawn)

    def mean(self, columns: Sequence[int], plan: Plan) -> Estimate:
        """Mean over some columns with its interval."""
        chosen = list(columns)
        value = float(mean_of_defined(self.value[chosen]))
        return estimate(value, mean_of_defined(self.drawn[:, chosen]), plan)


def _summed(rows: BoolArray, units: Units) -> FloatArray:
    """Rows `[n, C]` counted in each patient group, `[G, C]`."""
    sums = np.zeros((units.count, rows.shape[1]))
    np.add.at(sums, units.member, rows.astype(np.float64))
    return sums
