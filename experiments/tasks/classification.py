"""Classification of the findings trained on, with calibration and thresholds of validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from experiments.inference.finding_tables import (
    finding_rows,
    measure,
    not_averaged,
    plan_of,
    save_subsets,
    scored,
    summary,
)
from experiments.inference.graph_agreement import agreement, uncontrolled
from experiments.inference.score import probabilities
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.arrays import FloatArray
from experiments.metrics.calibration import Calibration, calibrate
from experiments.metrics.sums import MetricsOf
from experiments.metrics.table import MetricTable
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ScoredSubset
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import Classifies, able
from kg.errors import InputError

__all__ = ["Classification"]


@dataclass(frozen=True, kw_only=True)
class ClassificationResult(TaskResult):
    """Result of classification, with calibration and predictions for pages of examples.

    Args:
        calibration: Temperatures and thresholds chosen on validation.
        test: Labels and calibrated probabilities of the test studies.
    """

    calibration: Calibration
    test: ScoredSubset


class Classification:
    """Probabilities of the findings trained on, with temperatures and thresholds of validation."""

    capability: ClassVar[type] = Classifies
    table: ClassVar[str] = "predictions.parquet"
    metrics: ClassVar[tuple[str, ...]] = ("auroc_macro", "auprc_macro", "f1_macro", "ece_macro")
    sums: ClassVar[Mapping[str, MetricsOf]] = {}

    def measure(self, folder: RunFolder, context: RunContext) -> ClassificationResult:
        """Calibrate on validation, measure on test; write predictions and studies of both.

        Raises:
            InputError: If the system was trained on none of the findings.
        """
        preprocessor, exclusive = context.preprocessor, context.preprocessor.exclusive
        system: Classifies = able(context.system, Classifies)
        basis = [system.basis(name) for name in preprocessor.findings]
        if "trained" not in basis:
            raise InputError(
                f"{context.experiment.system.name} was trained on none of the findings",
                "measure it by `tasks: [zero_shot]`, or train it towards labels",
            )
        validation, test = context.cohorts["validation"], context.cohorts["test"]
        raw = _score(context, validation)
        patients = [study.patient for study in validation.studies]
        calibration = calibrate(validation.targets.numpy(), raw, patients, exclusive=exclusive)
        subsets = (
            scored("validation", validation, preprocessor.findings, calibration.apply(raw)),
            scored(TEST, test, preprocessor.findings, calibration.apply(_score(context, test))),
        )
        save_subsets(folder, subsets, {"validation": validation.studies, TEST: test.studies})
        table = _table(context, subsets[1], calibration)
        labels = {name: preprocessor.graph.concept(name).label for name in preprocessor.findings}
        return ClassificationResult(
            metrics={TEST: summary(table)},
            findings=finding_rows(table, TEST, labels, basis, calibration),
            warnings=not_averaged((labels[row.finding], row.remark) for row in table.findings),
            calibration=calibration,
            test=subsets[1],
        )


def _score(context: RunContext, cohort: Cohort) -> FloatArray:
    """Raw probabilities of the findings trained on."""
    return probabilities(
        context.system,
        batches(cohort, range(len(cohort))),
        context.preprocessor.findings,
        exclusive=context.preprocessor.exclusive,
    )


def _table(context: RunContext, test: ScoredSubset, calibration: Calibration) -> MetricTable:
    """Metrics of the test studies, agreement with the graph included."""
    plan, seed = plan_of(context), context.experiment.seed
    table = measure(test, calibration.thresholds, plan, seed, context.preprocessor.exclusive)
    agrees = agreement(
        test,
        calibration.thresholds,
        context.label_set,
        uncontrolled(context.experiment.graph),
        seed=seed,
        plan=plan,
    )
    return replace(table, metrics={**table.metrics, **agrees})
