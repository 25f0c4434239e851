"""Monitors: metrics and losses of a stage on the validation studies during training."""

from __future__ import annotations

import math
from collections import defaultdict

import torch

from experiments.inference.score import macro_auroc, probabilities
from experiments.loading.cohort import batches
from experiments.runs.build import RunContext
from experiments.tasks.retrieval import mean_reciprocal_rank
from fusion.capabilities import Classifies, Embeds
from fusion.stage import Stage
from kg.errors import InputError, did_you_mean

__all__ = ["check_monitor", "monitored"]

METRICS = {"auroc_macro": Classifies, "mean_reciprocal_rank": Embeds}
"""Monitored metrics by name, each with the capability it needs."""


def check_monitor(context: RunContext, place: int) -> None:
    """Refuse a monitor that cannot be measured.

    Raises:
        InputError: With the available monitors.
    """
    stage = context.system.stages[place]
    able = [name for name, needs in METRICS.items() if isinstance(context.system, needs)]
    known = [*able, "loss", *(f"loss/{name}" for name in stage.objectives), "none"]
    if stage.monitor not in known:
        raise InputError(
            f"stages.{place}.monitor: {stage.monitor!r} is not measured while training",
            did_you_mean(stage.monitor, known),
        )


def monitored(context: RunContext, stage: Stage) -> dict[str, float]:
    """Value of a stage's monitor for the current weights; NaN where it is not defined."""
    if stage.monitor == "auroc_macro":
        cohort = context.cohorts["validation"]
        findings, exclusive = context.preprocessor.findings, context.preprocessor.exclusive
        scores = probabilities(
            context.system, batches(cohort, range(len(cohort))), findings, exclusive=exclusive
        )
        return {"auroc_macro": macro_auroc(cohort.targets.numpy(), scores)}
    if stage.monitor == "mean_reciprocal_rank":
        return {stage.monitor: mean_reciprocal_rank(context)}
    return _losses(context, stage) if stage.monitor != "none" else {}


@torch.no_grad()
def _losses(context: RunContext, stage: Stage) -> dict[str, float]:
    """Mean of each loss over the validation studies, and their weighted sum."""
    system = context.system
    device = next(system.parameters()).device
    cohort = context.with_training_text("validation")
    totals: defaultdict[str, float] = defaultdict(float)
    for batch in batches(cohort, range(len(cohort)), stage.batch_size, training=True):
        for name, loss in system.losses(batch.to(device), stage).items():
            totals[name] += float(loss) * len(batch.ids)
    means = {f"loss/{name}": total / max(len(cohort), 1) for name, total in totals.items()}
    whole = sum(stage.objectives[name] * means[f"loss/{name}"] for name in stage.objectives)
    return {**means, "loss": whole if math.isfinite(whole) else math.nan}
