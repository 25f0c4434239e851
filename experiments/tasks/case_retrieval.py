"""Retrieval of similar cases: training studies by the images of a test study, labels alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from experiments.loading.cohort import batches
from experiments.metrics.retrieval import retrieval_metrics, retrieval_sums
from experiments.metrics.sums import Metric, MetricsOf
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._measured import save_and_measure
from fusion.capabilities import Embeds, able
from kg.errors import InputError

__all__ = ["CaseRetrieval"]


def _metrics(numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of the task; they are the same whatever the numbers."""
    return {f"case_{name}": metric for name, metric in retrieval_metrics().items()}


class CaseRetrieval:
    """Mean average precision and recall of training studies that have the same findings."""

    capability: ClassVar[type] = Embeds
    table: ClassVar[str] = "scores.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = {"case_retrieval": _metrics}
    metrics: ClassVar[tuple[str, ...]] = tuple(_metrics(()))

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Embed the images of test and training studies, and rank these for each of those.

        Raises:
            InputError: If no test study, or no training study, has an image.
        """
        cohort = context.cohorts["test"]
        queries, asked, places = _embedded(context, "test")
        cases, known, _ = _embedded(context, "train")
        if not len(queries) or not len(cases):
            raise InputError("no study has an image", "retrieval needs them: see `data check`")
        near = (queries @ cases.T).double().numpy()
        alike = (asked[:, None] == known[None]).all(-1).numpy()
        rows = ScoredStudies(
            TEST,
            "case_retrieval",
            tuple(cohort.studies[at].study for at in places),
            tuple(cohort.studies[at].patient for at in places),
            retrieval_sums(near, alike),
        )
        measured = save_and_measure(folder, [rows], self.sums, context.experiment.seed)
        return TaskResult(metrics={TEST: measured})


@torch.no_grad()
def _embedded(
    context: RunContext, subset: Literal["train", "test"]
) -> tuple[Tensor, Tensor, list[int]]:
    """Unit vectors, present findings and places of the studies that have an image."""
    system: Embeds = able(context.system, Embeds)
    context.system.eval()
    device = next(context.system.parameters()).device
    cohort = context.cohorts[subset]
    vectors, present = [], []
    for batch in batches(cohort, range(len(cohort))):
        vectors.append(system.embed_image(batch.to(device)).cpu())
        present.append(batch.targets == 1)
    every = torch.cat(vectors)
    there = ~every.isnan().any(1)
    return every[there], torch.cat(present)[there], there.nonzero().flatten().tolist()
