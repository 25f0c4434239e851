"""Plan of an ablation: one job for each arm, setting, fold and seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.ablate.schema import AblationFile, Overrides
from experiments.config.schema import Experiment
from experiments.plans.jobs import UNDRAWN, Job, drawn, resolved
from kg.errors import InputError, did_you_mean

__all__ = ["ArmJob", "Plan", "make_plan"]


@dataclass(frozen=True)
class ArmJob(Job):
    """One run of an ablation.

    Args:
        arm: The arm.
        setting: Name of the setting; empty where there is none.
        fold: Fold of the split, or None where the ablation names no folds.
        rotation: Rotation of the held-out findings, or None where the ablation names none.
        seed: Seed.
    """

    arm: str
    setting: str
    fold: int | None
    rotation: int | None
    seed: int


@dataclass(frozen=True)
class Plan:
    """All runs of an ablation.

    Args:
        file: The ablation.
        jobs: Its runs, the first seed of every arm first, so that partial results can be compared.
    """

    file: AblationFile
    jobs: tuple[ArmJob, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings, in order; one empty name where there are none."""
        return tuple(dict.fromkeys(job.setting for job in self.jobs))

    def of(self, setting: str, arm: str) -> tuple[ArmJob, ...]:
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
    folds = ablation.folds or (None,)
    every = {
        (fold, setting, arm): _resolved(
            file, arm, {**ablation.set, **under, **values}, overrides, fold
        )
        for fold in folds
        for setting, under in settings.items()
        for arm, values in file.arms.items()
    }
    draws = itertools.product(ablation.seeds, folds, ablation.rotations or (None,))
    return Plan(
        file,
        tuple(
            _job((arm, setting), (fold, rotation, seed), experiment)
            for seed, fold, rotation in draws
            for (own, setting, arm), experiment in every.items()
            if own == fold
        ),
    )


def _resolved(
    file: AblationFile,
    arm: str,
    values: Overrides,
    overrides: Sequence[str],
    fold: int | None,
) -> Experiment:
    """Checked configuration of an arm in a fold, without seed and rotation."""
    ablation = file.ablation
    values_of_arm = {
        **values,
        **({"hold_out.rotation": UNDRAWN} if ablation.rotations else {}),
        "name": f"{ablation.name}-{arm}".replace(" ", "_"),
        "about": f"{ablation.about} Arm: {arm}.",
    }
    return resolved(file.base, values_of_arm, overrides, fold=fold)


def _job(
    names: tuple[str, str], draw: tuple[int | None, int | None, int], experiment: Experiment
) -> ArmJob:
    """Run of an arm and setting in a draw of fold, rotation and seed."""
    (arm, setting), (fold, rotation, seed) = names, draw
    words = [
        arm,
        setting,
        "" if fold is None else f"fold {fold}",
        "" if rotation is None else f"rotation {rotation}",
        f"seed {seed}",
    ]
    name = ", ".join(filter(None, words))
    return ArmJob(name, drawn(experiment, seed, rotation), arm, setting, fold, rotation, seed)


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
