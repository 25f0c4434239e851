"""Ordinal: grades of one finding (none, mild, severe), where near misses count for something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch

from experiments.inference.finding_tables import measure as measure_findings
from experiments.inference.finding_tables import measured, plan_of, scored
from experiments.inference.score import probabilities
from experiments.loading.cohort import batches
from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import Estimate
from experiments.metrics.ordinal import (
    cumulative,
    grades_in,
    ordinal_metrics,
    ordinal_sums,
    steps_of,
)
from experiments.metrics.sums import Metric, MetricsOf, measure
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies, write_scores
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import Classifies
from kg.errors import InputError

__all__ = ["Ordinal"]


def _metrics(numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of the grades that numbers are about."""
    found = ordinal_metrics(grades_in(numbers))
    return {f"grade_{name}": metric for name, metric in found.items()}


class Ordinal:
    """Mean AUROC of reaching each grade, quadratic kappa, accuracy and squared error of the grade.

    Probabilities are the system's own: calibration and thresholds belong to classification.
    """

    capability: ClassVar[type] = Classifies
    table: ClassVar[str] = "scores.parquet"
    metrics: ClassVar[tuple[str, ...]] = (
        "auroc_cumulative",
        *_metrics(()),
    )
    sums: ClassVar[Mapping[str, MetricsOf]] = {"ordinal": _metrics}

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Ask the test studies for their grade.

        Raises:
            InputError: If the labels are not grades in order, or no test study has one.
        """
        reader, choice = context.preprocessor, context.choice
        if not (reader.exclusive and choice.ordered):
            raise InputError(
                f"the labels {choice.name} of {context.experiment.data.name} are not grades in "
                "order",
                "leave out `tasks: [ordinal]`, or choose labels of which exactly one holds",
            )
        test = context.cohorts["test"]
        every = batches(test, range(len(test)))
        chance = probabilities(context.system, every, reader.findings, exclusive=True)
        grades = _grades(test.targets)
        if np.isnan(grades).all():
            raise InputError("no test study has a grade", "see `kgdx data check`")
        patients = tuple(study.patient for study in test.studies)
        sums = ordinal_sums(grades, chance)
        ids = tuple(study.study for study in test.studies)
        write_scores(folder.scores, [ScoredStudies(TEST, "ordinal", ids, patients, sums)])
        metrics = _metrics(sums.names)
        rng, groups = np.random.default_rng(context.experiment.seed), np.asarray(patients, object)
        found = {
            name: measured(one) for name, one in measure(sums, metrics, groups, rng=rng).items()
        }
        reached, scores = cumulative(grades, chance)
        steps = steps_of([reader.graph.concept(one).label for one in reader.findings])
        part = scored(TEST, replace(test, targets=torch.from_numpy(reached)), steps, scores)
        table = measure_findings(part, None, plan_of(context), context.experiment.seed, False)
        found |= {
            f"auroc_{row.finding.replace(' ', '_')}": measured(
                Estimate(row.auroc, row.auroc_low, row.auroc_high)
            )
            for row in table.findings
        }
        found["auroc_cumulative"] = measured(table.metrics["auroc_macro"], len(table.averaged))
        return TaskResult(metrics={TEST: found})


def _grades(targets: torch.Tensor) -> FloatArray:
    """Place of the class that holds, `[n]`, of targets `[n, K]`; NaN where none is stated."""
    held = (targets == 1).numpy()
    return np.where(held.any(axis=1), held.argmax(axis=1), np.nan)
