"""TaskResult: what a task measured of a run, as its record keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.records.record import FindingRow, Measured

__all__ = ["TaskResult"]


@dataclass(frozen=True)
class TaskResult:
    """What a task measured.

    Args:
        metrics: Metrics with intervals, by subset of the data and name.
        findings: One row a finding, where the task is about findings.
        warnings: What must be known before a number is believed.
    """

    metrics: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    findings: tuple[FindingRow, ...] = ()
    warnings: tuple[str, ...] = ()
