"""Localisation: whether a system points at the findings that were marked in the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch

from experiments.inference.score import evaluating
from experiments.loading.cohort import Cohort, batches
from experiments.loading.marked_boxes import Marked, marked_boxes
from experiments.metrics.arrays import FloatArray
from experiments.metrics.pointing import POINTING_METRICS, pointing_sums
from experiments.metrics.sums import Metric, MetricsOf, StudySums, measure
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.record import Measured
from experiments.records.scores import ScoredStudies, write_scores
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import Localises, able
from kg.errors import InputError

__all__ = ["Localisation"]


def _metrics(numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of localisation; they are the same whatever the numbers."""
    return {f"localisation_{name}": metric for name, metric in POINTING_METRICS.items()}


class Localisation:
    """Pointing game and share of the map in the box, of each marked finding in each picture."""

    capability: ClassVar[type] = Localises
    table: ClassVar[str] = "scores.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = {"localisation": _metrics}
    metrics: ClassVar[tuple[str, ...]] = tuple(_metrics(()))

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Ask for a map of each finding that was marked in a picture of a test study.

        Raises:
            InputError: If none of the findings was marked, or the system has a map of none.
        """
        cohort = context.cohorts["test"]
        marked = marked_boxes(context.experiment, context.preprocessor, context.root, cohort)
        if not marked:
            raise InputError(
                f"no test study of {context.experiment.data.name} has a box of a finding",
                "localisation needs boxes: choose a data set that marks findings",
            )
        places, sums = _pointed(context, cohort, marked)
        if not places:
            raise InputError(
                f"{context.experiment.system.name} has no map of any finding that was marked",
                "train it on these findings",
            )
        studies = [cohort.studies[place] for place in places]
        patients = np.asarray([study.patient for study in studies], dtype=object)
        rng = np.random.default_rng(context.experiment.seed)
        found = measure(sums, _metrics(sums.names), patients, rng=rng)
        ids = tuple(study.study for study in studies)
        write_scores(
            folder.scores, [ScoredStudies(TEST, "localisation", ids, tuple(patients), sums)]
        )
        measured = {name: Measured.of(one.value, one.low, one.high) for name, one in found.items()}
        return TaskResult(metrics={TEST: measured})


@torch.no_grad()
def _pointed(
    context: RunContext, cohort: Cohort, marked: Mapping[int, Marked]
) -> tuple[list[int], StudySums]:
    """Places of the studies with a map of what was marked, and what each contributes."""
    system: Localises = able(context.system, Localises)
    device = next(context.system.parameters()).device
    findings = context.preprocessor.findings
    maps: list[FloatArray] = []
    with evaluating(context.system):
        for batch in batches(cohort, list(marked), 32):
            maps.extend(system.localise(batch.to(device), findings).double().cpu().numpy())
    places, rows = [], []
    names = pointing_sums([], []).names
    for (place, boxes), each in zip(marked.items(), maps, strict=True):
        asked = {key: each[findings.index(key[1]), key[0]] for key in boxes}
        there = [key for key, one in asked.items() if not np.isnan(one).any()]
        if there:
            sums = pointing_sums([asked[key] for key in there], [boxes[key] for key in there])
            places.append(place)
            rows.append(sums.values.sum(0))
    return places, StudySums(names, np.array(rows).reshape(-1, len(names)))
