"""Retrieval of reports by image, and of images by report, among all test studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from experiments.inference.score import evaluating
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.retrieval import retrieval_metrics, retrieval_sums
from experiments.metrics.sums import Metric, MetricsOf, StudySums
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._measured import save_and_measure
from fusion.capabilities import Embeds, able
from kg.errors import InputError

__all__ = ["Retrieval"]

DIRECTIONS = ("image_to_text", "text_to_image")

Ranked = tuple[list[int], dict[str, StudySums]]
"""Places of the ranked studies, and their rank sums in both directions."""


def direction_metrics(way: str, numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of one direction; they are the same whatever the numbers."""
    return {f"{way}_{name}": metric for name, metric in retrieval_metrics().items()}


class Retrieval:
    """Recall, mean reciprocal rank and median rank in both directions, beside chance."""

    capability: ClassVar[type] = Embeds
    table: ClassVar[str] = "scores.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = {
        f"retrieval_{way}": partial(direction_metrics, way) for way in DIRECTIONS
    }
    metrics: ClassVar[tuple[str, ...]] = tuple(
        name for metrics in sums.values() for name in metrics(())
    )

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Embed the test studies with image and report, and rank each among the others.

        Raises:
            InputError: If no test study has both.
        """
        cohort = context.with_training_text("test")
        result = self.ranked(context, cohort)
        if result is None:
            raise InputError(
                "no test study has image and report", "retrieval needs both: see `data check`"
            )
        places, sums = result
        patients = tuple(cohort.studies[at].patient for at in places)
        studies = tuple(cohort.studies[at].study for at in places)
        rows = [
            ScoredStudies(TEST, task, studies, patients, numbers)
            for task, numbers in zip(self.sums, sums.values(), strict=True)
        ]
        measured = save_and_measure(folder, rows, self.sums, context.experiment.seed)
        return TaskResult(metrics={TEST: measured})

    def ranked(self, context: RunContext, cohort: Cohort) -> Ranked | None:
        """Ranks of the studies; see `retrieved`."""
        return retrieved(context, cohort)


def retrieved(context: RunContext, cohort: Cohort) -> Ranked | None:
    """Ranks of the studies with image and report by the cosine of the two; None = there is none.

    Whole reports are ranked, also where training draws single sentences.
    """
    image, report = _embedded(context, replace(cohort, sentences=False))
    there = (~image.isnan().any(1) & ~report.isnan().any(1)).nonzero().squeeze(1).tolist()
    return ranks(context, cohort, there, image[there] @ report[there].T)


def ranks(
    context: RunContext, cohort: Cohort, there: list[int], similarity: Tensor
) -> Ranked | None:
    """Rank sums of both directions; identical reports count as matches of the same images.

    Args:
        context: The run.
        cohort: Its studies.
        there: Places of the studies with image and report.
        similarity: Of their images to their reports, `[n, n]`; -inf = not ranked together.
    """
    if not there:
        return None
    near = similarity.double().numpy()
    text, policy = context.preprocessor.text, context.preprocessor.needs.paired_policy
    words = [text.passages(cohort.studies[at], policy) for at in there]
    reports: Any = np.asarray([hash(tuple(passage.text for passage in each)) for each in words])
    same = reports[:, None] == reports[None]
    return there, {
        "image_to_text": retrieval_sums(near, same),
        "text_to_image": retrieval_sums(near.T, same.T),
    }


@torch.no_grad()
def _embedded(context: RunContext, cohort: Cohort) -> tuple[Tensor, Tensor]:
    """Unit vectors of images and reports, `[n, D]` each; NaN where there is none."""
    system: Embeds = able(context.system, Embeds)
    device = next(context.system.parameters()).device
    images, texts = [], []
    with evaluating(context.system):
        for batch in batches(cohort, range(len(cohort)), training=True):
            moved = batch.to(device)
            images.append(system.embed_image(moved).cpu())
            if moved.paired_text is None:
                texts.append(torch.full_like(images[-1], float("nan")))
            else:
                texts.append(system.embed_text(moved.paired_text).cpu())
    return torch.cat(images), torch.cat(texts)


def mean_reciprocal_rank(context: RunContext) -> float:
    """Mean reciprocal rank of both directions on validation; NaN where no study has both."""
    result = retrieved(context, context.with_training_text("validation"))
    if result is None:
        return float("nan")
    return float(np.mean([each["reciprocal_rank"].mean() for each in result[1].values()]))
