"""Runs of a plan as jobs: each a resolved configuration, with its state in a folder of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from experiments.config.hashing import config_hash
from experiments.config.load import as_overrides
from experiments.config.parts import read_checked
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, list_runs, run_name
from experiments.runs.start import parent_experiment
from kg.errors import InputError

__all__ = [
    "STATES",
    "UNDRAWN",
    "Job",
    "State",
    "drawn",
    "named",
    "resolved",
    "stand",
    "with_parents",
]

State = Literal["finished", "running", "diverged", "broken", "missing"]
STATES: tuple[State, ...] = ("finished", "running", "diverged", "broken", "missing")
"""States of a job; one that diverged would diverge again, and is not run twice."""

UNDRAWN = 1_000_000
"""Placeholder of a seed or rotation that is filled in later unless the user sets it."""


@dataclass(frozen=True)
class Job:
    """One run of a plan.

    Args:
        name: Its name in messages.
        experiment: The resolved configuration.
    """

    name: str
    experiment: Experiment

    @cached_property
    def digest(self) -> str:
        """Hash of the configuration, which identifies the job's run."""
        return config_hash(self.experiment)

    @cached_property
    def parents(self) -> tuple[Job, ...]:
        """Jobs whose finished runs it starts with; runs named by their ids are not among them."""
        needed = [
            parent_experiment(start.experiment, self.experiment)
            for start in self.experiment.start
            if start.experiment
        ]
        return tuple(Job(named(one.name, one), one) for one in needed)


def resolved(
    config: str,
    values: Mapping[str, object],
    overrides: Sequence[str] = (),
    *,
    fold: int | None = None,
) -> Experiment:
    """Checked configuration of a fold whose seed is still to be drawn.

    Args:
        config: Shipped name or path.
        values: Values laid over it, by dotted key.
        overrides: `key=value`, applied last.
        fold: Fold of the split; None = the configuration's own.

    Raises:
        InputError: If a key or value is wrong.
    """
    tested = {} if fold is None else {"split.fold": fold}
    laid = as_overrides({**values, **tested, "seed": UNDRAWN})
    return read_checked(config, (*laid, *overrides))


def drawn(experiment: Experiment, seed: int, rotation: int | None = None) -> Experiment:
    """Configuration of one run; a randomised graph is drawn anew with every seed."""
    if experiment.seed == UNDRAWN:
        experiment = experiment.model_copy(update={"seed": seed})
        if experiment.graph.drawn:
            graph = experiment.graph.model_copy(update={"seed": experiment.graph.seed + seed})
            experiment = experiment.model_copy(update={"graph": graph})
    held = experiment.hold_out
    if held is not None and held.rotation == UNDRAWN:
        held = held.model_copy(update={"rotation": rotation})
        experiment = experiment.model_copy(update={"hold_out": held})
    return experiment


def named(label: str, experiment: Experiment) -> str:
    """Name of a run in messages: `label, fold 2, seed 1`."""
    split = experiment.split
    fold = f", fold {split.fold}" if split.one_of_several else ""
    return f"{label}{fold}, seed {experiment.seed}"


def with_parents(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """Each job once, behind the jobs that it starts from."""
    listed = tuple(jobs)
    named = {job.digest: job for job in listed}
    every: dict[str, Job] = {}
    for job in listed:
        for one in _first_to_last(job):
            every.setdefault(one.digest, named.get(one.digest, one))
    return tuple(every.values())


def _first_to_last(job: Job, below: tuple[str, ...] = ()) -> Iterator[Job]:
    """The parents of a job, their own first, then the job."""
    if job.digest in below:
        raise InputError(f"start: {job.experiment.name} starts from itself", "name another run")
    for parent in job.parents:
        yield from _first_to_last(parent, (*below, job.digest))
    yield job


def stand(jobs: Iterable[Job], runs: Path) -> dict[str, tuple[State, RunFolder | None]]:
    """State of each job by the hash of its configuration, with its run where there is one.

    A run is `running` only while a process holds its folder.
    """
    names = {run_name(job.experiment): job.digest for job in jobs}
    standing: dict[str, tuple[State, RunFolder | None]] = {
        digest: ("missing", None) for digest in names.values()
    }
    for folder in list_runs(runs):
        digest, state = _known(folder, names)
        best = standing.get(digest)
        if best is not None and STATES.index(state) < STATES.index(best[0]):
            standing[digest] = state, folder
    return standing


def _known(folder: RunFolder, names: Mapping[str, str]) -> tuple[str, State]:
    """Hash of the configuration of a run, and its state."""
    try:
        record = folder.load_record()
    except InputError:  # it has not begun yet, or ended before it began
        own = next((name for name in names if f"{folder.run}-".startswith(f"{name}-")), "")
        return names.get(own, ""), "running" if own and folder.in_use else "missing"
    if record.status in ("finished", "diverged", "running"):
        return record.config_hash, record.status
    return record.config_hash, "broken"
