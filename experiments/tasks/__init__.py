"""Catalog of tasks: what is measured of a trained system, on which table, by which metrics.

A task names the capability it needs, so a system that lacks it is refused before it is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from experiments.metrics.sums import MetricsOf
from experiments.records.folder import RunFolder
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import able
from fusion.system import System
from kg.catalog import Catalog

__all__ = ["TASKS", "Task", "check_tasks"]


class Task(Protocol):
    """Something to measure, built as `Part()`."""

    capability: ClassVar[type]
    """What a system must be able to do."""
    table: ClassVar[str]
    """File of the run folder it writes."""
    metrics: ClassVar[tuple[str, ...]]
    """Names of its metrics; those by finding are means over findings."""
    sums: ClassVar[Mapping[str, MetricsOf]]
    """Its metrics that are functions of sums, by the rows of scores.parquet they are made of."""

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Measure the trained system on the test studies, and write the table."""


TASKS: Catalog[Any] = Catalog(
    "experiments.tasks", "task", ("capability", "table", "metrics", "sums")
)


def check_tasks(system: System, tasks: Sequence[str]) -> None:
    """Refuse a task that a system has no capability for.

    Raises:
        InputError: With what it cannot do, and what it can.
    """
    for name in tasks:
        able(system, TASKS.load(name).capability)
