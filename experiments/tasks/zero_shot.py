"""Zero-shot classification of findings without training labels, thresholds or calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import torch

from experiments.inference.answers import answer
from experiments.inference.finding_tables import (
    finding_rows,
    measure,
    plan_of,
    save_subsets,
    scored,
    summary,
    with_distances,
)
from experiments.loading.targets import targets
from experiments.metrics.sums import MetricsOf
from experiments.records.folder import RunFolder
from experiments.records.predictions import ZERO_SHOT
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import Classifies, able
from kg.errors import InputError

__all__ = ["ZeroShot"]


class ZeroShot:
    """Probabilities of findings held out of training, and of those never trained."""

    capability: ClassVar[type] = Classifies
    table: ClassVar[str] = "predictions.parquet"
    metrics: ClassVar[tuple[str, ...]] = ("auroc_macro", "auprc_macro")
    sums: ClassVar[Mapping[str, MetricsOf]] = {}

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Predict every finding that was not trained for the test studies.

        Raises:
            InputError: If there is none, or the system predicts none of them.
        """
        preprocessor = context.preprocessor
        system: Classifies = able(context.system, Classifies)
        held = (
            *(name for name in preprocessor.findings if system.basis(name) == "zero_shot"),
            *preprocessor.held.findings,
        )
        if not held:
            raise InputError(
                f"{context.experiment.system.name} was trained on every finding",
                "hold findings out (`hold_out:`), or leave out `tasks: [zero_shot]`",
            )
        test, data = context.cohorts["test"], context.experiment.data
        truth = targets(test.studies, held, data.uncertain, data.blank)
        answers = answer(context.system, test, held, None)
        cohort = replace(test, targets=torch.from_numpy(truth))
        subset = scored(ZERO_SHOT, cohort, held, answers.probabilities)
        save_subsets(folder, (subset,), {ZERO_SHOT: test.studies})
        table = measure(subset, None, plan_of(context), context.experiment.seed, False)
        labels = {name: preprocessor.graph.concept(name).label for name in held}
        basis = [system.basis(name) for name in held]
        rows = finding_rows(table, "test", labels, basis, None)
        trained = [name for name in preprocessor.findings if name not in held]
        return TaskResult(
            metrics={ZERO_SHOT: summary(table)},
            findings=with_distances(rows, preprocessor.graph, trained),
        )
