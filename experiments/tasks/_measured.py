"""Metrics of per-study sums, written to scores.parquet and measured with intervals by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.metrics.sums import MetricsOf, measure
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from experiments.records.scores import ScoredStudies, write_scores

__all__ = ["save_and_measure"]


def save_and_measure(
    folder: RunFolder, rows: Sequence[ScoredStudies], sums: Mapping[str, MetricsOf], seed: int
) -> dict[str, Measured]:
    """Write sums of studies, and measure the metrics of each row by their names in the record.

    Args:
        folder: The run's folder.
        rows: Sums of the studies, by task.
        sums: Metrics of each task's sums.
        seed: Seed of the resamples, the same for every row.
    """
    write_scores(folder.scores, rows)
    measured: dict[str, Measured] = {}
    for row in rows:
        rng = np.random.default_rng(seed)
        metrics = sums[row.task](row.numbers.names)
        for name, one in measure(row.numbers, metrics, row.patients, rng=rng).items():
            measured[name] = Measured.of(one.value, one.low, one.high)
    return measured
