"""Runs of a plan file: one job for each system, fold and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.compare.records import METRICS
from experiments.plans.jobs import Job, drawn, named, resolved
from experiments.plans.schema import PlanFile, SystemRow
from experiments.plans.tuning import Choice, candidates, choose, tuned
from kg.errors import InputError, did_you_mean

__all__ = ["RunPlan", "make_plan"]


@dataclass(frozen=True)
class RunPlan:
    """All runs of a plan.

    Args:
        file: The plan file.
        rows: Runs of each row by its name.
        tried: Runs that try the drawn settings of each row, its own values among them.
    """

    file: PlanFile
    rows: Mapping[str, tuple[Job, ...]]
    tried: Mapping[str, Mapping[str, Job]]

    @property
    def ensembles(self) -> dict[str, tuple[str, ...]]:
        """Names of the rows that each ensemble joins, where all of them are in the plan."""
        return {one.name: one.of for one in self.file.ensembles if set(one.of) <= set(self.rows)}

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All runs but those of chosen settings.

        The first seed of every row stands first, so that partial results can be compared.
        """
        own = [job for jobs in self.rows.values() for job in jobs]
        tried = [job for jobs in self.tried.values() for job in jobs.values()]
        every = {job.digest: job for job in (*own, *tried)}.values()
        return tuple(sorted(every, key=lambda job: job.experiment.seed))

    def choices(self, runs: Path) -> dict[str, Choice]:
        """Chosen setting of each row whose candidates were run."""
        found = {
            label: choose(tried, self.file.metric, runs) for label, tried in self.tried.items()
        }
        return {label: choice for label, choice in found.items() if choice is not None}

    def tuned(self, choices: Mapping[str, Choice]) -> dict[str, tuple[Job, ...]]:
        """Runs of each row with its chosen setting."""
        return {label: tuned(label, one, self.rows[label]) for label, one in choices.items()}

    def folder(self, runs: Path) -> Path:
        """Folder of what the plan keeps, under the folder of runs."""
        return runs / "plans" / self.file.name


def make_plan(
    file: PlanFile, overrides: Sequence[str] = (), systems: Sequence[str] = ()
) -> RunPlan:
    """Make the runs of a plan, with resolved and checked configurations.

    Args:
        file: The plan file.
        overrides: `key=value`, laid over every configuration last.
        systems: Rows to run with the reference, an ensemble as the rows it joins; empty = all.

    Raises:
        InputError: If a configuration is wrong, two rows are the same runs, or there is no such
            row.
    """
    members: dict[str, tuple[str, ...]] = {row.label: (row.label,) for row in file.systems}
    members |= {one.name: one.of for one in file.ensembles}
    for name in systems:
        if name not in members:
            known = did_you_mean(name, members)
            raise InputError(f"{file.name}: no row is called {name!r}", known)
    kept = {label for name in systems or members for label in members[name]}
    kept |= {file.reference, file.time_reference}
    rows = {row.label: _jobs(file, row, overrides) for row in file.systems if row.label in kept}
    _check_distinct(rows)
    for key, used, what in (
        ("tune", file.tune, "setting is chosen by"),
        ("ensembles", file.ensembles, "ensemble is measured by"),
    ):
        if used and file.metric not in METRICS:
            raise InputError(
                f"{file.name}: {key}: no {what} {file.metric}",
                f"set metric to {' or '.join(METRICS)}, or leave out {key}",
            )
    tried = {label: candidates(label, jobs[0], file.tune) for label, jobs in rows.items()}
    return RunPlan(file, rows, tried if file.tune else {})


def _jobs(file: PlanFile, row: SystemRow, overrides: Sequence[str]) -> tuple[Job, ...]:
    """Runs of a row, seed after seed."""
    values = {**file.set, **row.set}
    folds = [resolved(row.config, values, overrides, fold=fold) for fold in file.folds or (None,)]
    every = (drawn(one, seed) for seed in row.seeds or file.seeds for one in folds)
    return tuple(Job(named(row.label, one), one) for one in every)


def _check_distinct(rows: Mapping[str, Sequence[Job]]) -> None:
    """Refuse rows, folds or seeds that are the same run."""
    known: dict[str, Job] = {}
    for jobs in rows.values():
        for job in jobs:
            same = known.setdefault(job.digest, job)
            if same is not job:
                raise InputError(
                    f"{same.name} and {job.name} are the same run",
                    "leave one out, or `set` what differs",
                )
