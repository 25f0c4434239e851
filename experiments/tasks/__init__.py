"""Catalog of tasks: evaluations of a trained system, each with its table and metrics.

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
    """An evaluation of a trained system, built as `Part()`."""

    capability: ClassVar[type]
    """Capability that a system must have."""
    table: ClassVar[str]
    """File of the run folder that it writes."""
    metrics: ClassVar[tuple[str, ...]]
    """Names of its metrics; macro ones are means over findings."""
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
        InputError: With the missing capability and those it has.
    """
    for name in tasks:
        able(system, TASKS.load(name).capability)
