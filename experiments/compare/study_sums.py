"""Metrics of texts, retrieval and localisation: compared by what each study adds to their sums.

The numbers of a study stand where the probabilities of its findings stand otherwise, so that runs
are joined, and refused, by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.paired import over_seeds
from experiments.compare.predictions import by_study, own_predictions
from experiments.compare.records import METRICS, Difference, Entry, Family
from experiments.compare.runs import Run
from experiments.compare.settings import experiment_of
from experiments.metrics import bootstrap
from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import Plan, Resampled, Sample
from experiments.metrics.sums import MetricsOf, StudySums, once, resample
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ScoredSubset
from experiments.records.record import Measured, defined
from experiments.records.scores import ScoredStudies, read_scores
from kg.errors import InputError, did_you_mean

__all__ = ["SummedScores", "sums_reader"]


class SummedScores:
    """One metric of all systems on the same resamples.

    Args:
        aligned: Systems on the same studies, with their numbers in place of probabilities.
        metric: Name of the metric.
        plan: How intervals are made.
    """

    parts = None
    """Studies of all modalities are summed: nothing is ranked."""

    def __init__(self, aligned: Aligned, metric: str, plan: Plan) -> None:
        self.aligned, self.units = aligned, aligned.units()
        self.metric, self.plan = metric, plan
        self._names = aligned.findings
        made = (of(self._names) for of in _rows().values())
        self._function = next(metrics[metric] for metrics in made if metric in metrics)
        self._sample = Sample.draw(self.units, plan, np.random.default_rng(0))

    def entry(self, arm: Arm, facts: Entry) -> Entry:
        """One row of the table: what is known of a system, and now what was measured of it."""
        found = self._resampled(arm)
        one = bootstrap.estimate(*found.alone, self.plan, found.left_out)
        metrics = {self.metric: Measured.of(one.value, one.low, one.high)}
        return replace(facts, metrics=metrics, by_seed=over_seeds(self._each_seed(arm)))

    def pair(self, first: Arm, second: Arm, family: Family) -> list[Difference]:
        """The one difference of a pair, not corrected yet."""
        gap = self._resampled(first).minus(self._resampled(second))
        found = bootstrap.difference(gap, self.plan)
        return [
            Difference(
                first=first.name,
                second=second.name,
                family=family,
                metric=self.metric,
                finding="",
                positives=0,
                value=Measured.of(found.delta, found.low, found.high),
                p=defined(found.p),
                p_holm=None,
                p_delong=None,
                by_seed=over_seeds(self._each_seed(first) - self._each_seed(second), test=True),
                verdict="not shown",
            )
        ]

    def _resampled(self, arm: Arm) -> Resampled:
        """The metric of numbers averaged over seeds, as they are and on every resample."""
        numbers = StudySums.mean([self._numbers(each) for each in arm.scores])
        return resample(self._sample, numbers, [self._function])

    def _each_seed(self, arm: Arm) -> FloatArray:
        """The metric of each seed alone, `[seeds]`."""
        each = [once(self.units, self._numbers(one), [self._function]) for one in arm.scores]
        return np.concatenate(each)

    def _numbers(self, values: FloatArray) -> StudySums:
        return StudySums(self._names, values)


def sums_reader(metric: str) -> Callable[[RunFolder, str], Run]:
    """What reads a run with the numbers that a metric is made of."""

    def read(folder: RunFolder, on: str) -> Run:
        if on != TEST:
            raise InputError(f"{metric} is measured on the test part alone", "leave out --on")
        record, experiment = folder.load_record(), experiment_of(folder)
        scored = _scored(folder, metric)
        part = ScoredSubset(
            part=TEST,
            studies=scored.studies,
            patients=scored.patients,
            findings=scored.numbers.names,
            labels=np.full(scored.numbers.values.shape, np.nan),
            probabilities=scored.numbers.values,
        )
        answers = own_predictions(by_study(part, folder.scores), record, experiment)
        return Run(folder, record, experiment, answers)

    return read


def _scored(folder: RunFolder, metric: str) -> ScoredStudies:
    """What the studies of a run contribute to a metric.

    Raises:
        InputError: With the metrics that the run has, if this is none of them.
    """
    scored = read_scores(folder.scores) if folder.scores.is_file() else []
    rows = _rows()
    known = {
        name: one
        for one in scored
        if one.part == TEST and one.task in rows
        for name in rows[one.task](one.numbers.names)
    }
    if metric not in known:
        ranked = METRICS if folder.predictions.is_file() else ()
        raise InputError(
            f"{folder.run} has no metric {metric!r}", did_you_mean(metric, [*ranked, *known])
        )
    return known[metric]


@cache
def _rows() -> Mapping[str, MetricsOf]:
    """Metrics of each row of scores.parquet; tasks take seconds to load, so only when asked."""
    from experiments.tasks import TASKS

    tasks = [TASKS.load(name) for name in TASKS.names()]
    return {row: of for task in tasks for row, of in task.sums.items()}
