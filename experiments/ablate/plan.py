"""Plan of an ablation: one job for each arm, setting, fold and seed, with its state."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from experiments.ablate.schema import AblationFile, Overrides
from experiments.config.hashing import config_hash
from experiments.config.load import as_overrides
from experiments.config.parts import read_checked
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, list_runs
from kg.errors import InputError, did_you_mean

__all__ = ["Job", "Plan", "State", "make_plan", "stand"]

State = Literal["finished", "running", "broken", "missing"]


UNDRAWN = 1_000_000
"""Placeholder of a seed or rotation that is filled in later unless the user sets it."""


@dataclass(frozen=True)
class Job:
    """One run of an ablation.

    Args:
        arm: The arm.
        setting: Name of the setting; empty where there is none.
        fold: Fold of the split, or None where the ablation names no folds.
        rotation: Rotation of the held-out findings, or None where the ablation names none.
        seed: Seed.
        experiment: The resolved configuration.
    """

    arm: str
    setting: str
    fold: int | None
    rotation: int | None
    seed: int
    experiment: Experiment

    @property
    def digest(self) -> str:
        """Hash of the configuration, which identifies the job's run."""
        return config_hash(self.experiment)


@dataclass(frozen=True)
class Plan:
    """All runs of an ablation.

    Args:
        file: The ablation.
        jobs: Its runs, the first seed of every arm first, so that partial results can be compared.
    """

    file: AblationFile
    jobs: tuple[Job, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings, in order; one empty name where there are none."""
        return tuple(dict.fromkeys(job.setting for job in self.jobs))

    def of(self, setting: str, arm: str) -> tuple[Job, ...]:
        """The runs of an arm under a setting."""
        return tuple(job for job in self.jobs if (job.setting, job.arm) == (setting, arm))


def make_plan(file: AblationFile, overrides: Sequence[str] = (), arms: Sequence[str] = ()) -> Plan:
    """Make the plan of an ablation, with resolved and checked configurations.

    Args:
        file: The ablation.
        overrides: `key=value`, applied to every arm last.
        arms: Arms to run with the reference; empty = all.

    Raises:
        InputError: If an arm's configuration is wrong, with the key, or there is no such arm.
    """
    file = _only(file, arms) if arms else file
    ablation = file.ablation
    settings = ablation.settings or {"": {}}
    folds: dict[int | None, Overrides] = {fold: {"split.fold": fold} for fold in ablation.folds}
    folds = folds or {None: {}}
    resolved = {
        fold: {
            (setting, arm): _resolved(
                file, arm, {**ablation.set, **under, **values, **tested}, overrides
            )
            for setting, under in settings.items()
            for arm, values in file.arms.items()
        }
        for fold, tested in folds.items()
    }
    draws = itertools.product(ablation.seeds, folds, ablation.rotations or (None,))
    return Plan(
        file,
        tuple(
            Job(arm, setting, fold, rotation, seed, _drawn(experiment, rotation, seed))
            for seed, fold, rotation in draws
            for (setting, arm), experiment in resolved[fold].items()
        ),
    )


def _resolved(
    file: AblationFile, arm: str, values: Overrides, overrides: Sequence[str]
) -> Experiment:
    """Checked configuration of an arm in a fold, without seed and rotation."""
    ablation = file.ablation
    values_of_arm = {
        **values,
        **({"hold_out.rotation": UNDRAWN} if ablation.rotations else {}),
        "seed": UNDRAWN,
        "name": f"{ablation.name}-{arm}".replace(" ", "_"),
        "about": f"{ablation.about} Arm: {arm}.",
    }
    return read_checked(file.base, (*as_overrides(values_of_arm), *overrides))


def _drawn(experiment: Experiment, rotation: int | None, seed: int) -> Experiment:
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


def stand(plan: Plan, runs: Path) -> dict[str, tuple[State, RunFolder | None]]:
    """State of each job by the hash of its configuration, with its run where there is one."""
    standing: dict[str, tuple[State, RunFolder | None]] = {
        job.digest: ("missing", None) for job in plan.jobs
    }
    rank = ("missing", "broken", "running", "finished")
    states: Mapping[str, State] = {"finished": "finished", "running": "running"}
    for folder in list_runs(runs):
        try:
            record = folder.load_record()
        except InputError:  # a run that ended before it began has no record
            continue
        state = states.get(record.status, "broken")
        known = standing.get(record.config_hash)
        if known is not None and rank.index(state) > rank.index(known[0]):
            standing[record.config_hash] = state, folder
    return standing


def _only(file: AblationFile, arms: Sequence[str]) -> AblationFile:
    """The ablation reduced to some arms and its reference."""
    ablation = file.ablation
    for arm in arms:
        if arm not in file.arms:
            raise InputError(
                f"{ablation.name}: no arm is called {arm!r}", did_you_mean(arm, file.arms)
            )
    kept = {arm: file.arms[arm] for arm in file.arms if arm in {ablation.reference, *arms}}
    primary = tuple(arm for arm in ablation.primary if arm in kept)
    return replace(file, ablation=ablation.model_copy(update={"primary": primary}), arms=kept)
