"""Cost of the missing runs of a plan, estimated from finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from experiments.config.schema import Experiment
from experiments.plans.jobs import Job, State
from experiments.records.folder import list_runs
from experiments.records.record import RunRecord
from kg.progress import duration

__all__ = ["Cost", "CostRow", "cost_of"]


@dataclass(frozen=True)
class CostRow:
    """Runs of one configuration.

    Args:
        name: Name of the configuration.
        states: Number of runs in each state.
        seconds: Median time of one finished run; None = not known.
    """

    name: str
    states: Mapping[State, int]
    seconds: float | None

    @property
    def left(self) -> int:
        """Number of runs that are still to be run."""
        ended: tuple[State, ...] = ("finished", "diverged")
        return sum(count for state, count in self.states.items() if state not in ended)


@dataclass(frozen=True)
class Cost:
    """Cost of a plan.

    Args:
        rows: One row per configuration.
        seconds: Median time of a run by the hash of its configuration; None = not known.
    """

    rows: tuple[CostRow, ...]
    seconds: Mapping[str, float | None]

    @property
    def left(self) -> int:
        """Number of runs that are still to be run."""
        return sum(row.left for row in self.rows)

    @property
    def unknown(self) -> int:
        """Number of them whose time is not known."""
        return sum(row.left for row in self.rows if row.seconds is None)

    @property
    def known_seconds(self) -> float:
        """Time of all the others, one after the other."""
        return sum(row.left * row.seconds for row in self.rows if row.seconds is not None)

    def sentence(self, workers: int) -> str:
        """What is left to run and how long it takes, in one sentence."""
        total = sum(sum(row.states.values()) for row in self.rows)
        diverged = sum(row.states.get("diverged", 0) for row in self.rows)
        start = f"{self.left} of {total} runs are not finished"
        start += f" ({diverged} more diverged)" if diverged else ""
        if not self.left:
            return start
        if self.unknown == self.left:
            return f"{start}; no finished run says how long they take"
        rest = f", and {self.unknown} runs of unknown time" if self.unknown else ""
        took = f"{start}: about {duration(self.known_seconds)} of computing{rest}"
        return f"{took}; {duration(self.known_seconds / workers)} at {workers} runs at a time"


def cost_of(jobs: Sequence[Job], standing: Mapping[str, tuple[State, object]], runs: Path) -> Cost:
    """Cost of jobs.

    The time of a run is the median of the finished runs of its experiment's name on its data set,
    else of its system with the same losses.

    Args:
        jobs: All jobs.
        standing: Their state by the hash of their configuration.
        runs: Folder of runs.
    """
    taken = _taken(folder.load_record() for folder in list_runs(runs) if folder.record.is_file())
    seconds = {job.digest: _seconds(job.experiment, taken) for job in jobs}
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.experiment.name, []).append(job)
    return Cost(tuple(_row(name, own, standing, seconds) for name, own in groups.items()), seconds)


Taken = Mapping[tuple[str, ...], Sequence[float]]
"""Seconds of finished runs by data set and name, and by data set, system and losses."""


def _taken(records: Iterable[RunRecord]) -> Taken:
    taken: dict[tuple[str, ...], list[float]] = {}
    for record in records:
        if record.status == "finished":
            for key in _keys(record.experiment):
                taken.setdefault(key, []).append(record.seconds)
    return taken


def _keys(experiment: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keys of the time of an experiment, the nearest first."""
    data, losses = experiment["data"]["name"], {"fitted"}
    for stage in experiment.get("stages", ()):
        losses |= set(stage["objectives"])
    system = experiment["system"]["name"]
    return (data, experiment["name"]), (data, system, *sorted(losses))


def _seconds(experiment: Experiment, taken: Taken) -> float | None:
    keys = _keys(experiment.model_dump(mode="json"))
    return next((median(taken[key]) for key in keys if key in taken), None)


def _row(
    name: str,
    jobs: Sequence[Job],
    standing: Mapping[str, tuple[State, object]],
    seconds: Mapping[str, float | None],
) -> CostRow:
    states: dict[State, int] = {}
    for job in jobs:
        state = standing[job.digest][0]
        states[state] = states.get(state, 0) + 1
    return CostRow(name, states, seconds[jobs[0].digest])
