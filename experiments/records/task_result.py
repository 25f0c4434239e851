"""TaskResult: results of a task, in the form of a run's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.records.record import FindingRow, Measured

__all__ = ["TaskResult"]


@dataclass(frozen=True)
class TaskResult:
    """Results of a task.

    Args:
        metrics: Metrics with intervals, by subset of the data and name.
        findings: One row a finding, where the task is about findings.
        warnings: Warnings about the numbers.
    """

    metrics: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    findings: tuple[FindingRow, ...] = ()
    warnings: tuple[str, ...] = ()
