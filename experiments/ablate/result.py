"""Result of an ablation: comparison of its arms under each setting, saved with its runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.ablate.channels import of_arms
from experiments.ablate.plan import Plan
from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.compare.wording import rare_findings_sentence, verdict_sentence
from experiments.config.aliases import CHANNELS
from experiments.metrics.bootstrap import USUAL
from experiments.metrics.bootstrap import Plan as Resampling
from experiments.plans.jobs import stand
from experiments.records.atomic import write_json
from kg.errors import InputError

__all__ = ["AblationResult", "Compared", "answer", "keep", "result_of"]

FORMAT = 1
FILE = "ablation.json"
AGAIN = "compare again: kgdx experiment ablate"


@dataclass(frozen=True)
class Compared:
    """Comparison of the arms under one setting.

    Args:
        setting: Name of the setting; empty where there is none.
        comparison: The comparison of the arms.
    """

    setting: str
    comparison: Comparison


@dataclass(frozen=True)
class AblationResult:
    """A finished ablation.

    Args:
        name: Name of the ablation.
        about: Question of the ablation.
        base: Base configuration of every arm.
        reference: Arm that all others are compared with.
        primary: Arms whose difference from it is a primary endpoint.
        seeds: Seeds of every arm.
        folds: Folds; empty = the base's own.
        rotations: Rotations of the held-out findings; empty = the base's own.
        arms: Changes of each arm, by dotted key.
        channels: State of the graph's channels for each arm; empty where the system has none.
        settings: Comparison under each setting.
    """

    name: str
    about: str
    base: str
    reference: str
    primary: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    arms: Mapping[str, Mapping[str, Any]]
    channels: Mapping[str, Mapping[str, str]]
    settings: tuple[Compared, ...]
    rotations: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record as plain values."""
        plain = {key: value for key, value in vars(self).items() if key != "settings"}
        settings = [
            {"setting": one.setting, "comparison": one.comparison.as_json()}
            for one in self.settings
        ]
        values: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, **plain}))
        return {**values, "settings": settings}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> AblationResult:
        """The record from the values of `as_json`; former names of channels are replaced.

        Raises:
            InputError: If it is not an ablation, or of another version.
        """
        if values.get("format") != FORMAT or not values.get("settings"):
            raise InputError("this is not an ablation of this version of kgdx", AGAIN)
        plain = {key: value for key, value in values.items() if key not in ("format", "settings")}
        try:
            listed = {key: tuple(plain[key]) for key in ("primary", "seeds", "folds")}
            listed["rotations"] = tuple(plain.get("rotations", ()))
            settings = tuple(
                Compared(one["setting"], Comparison.from_json(one["comparison"]))
                for one in values["settings"]
            )
            plain["channels"] = {
                arm: {CHANNELS.get(name, name): state for name, state in states.items()}
                for arm, states in plain["channels"].items()
            }
            return AblationResult(**{**plain, **listed, "settings": settings})
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the ablation is damaged: {error}", AGAIN) from None


def result_of(
    plan: Plan, runs: Path, on: str = "", resampling: Resampling = USUAL
) -> AblationResult:
    """Compare the arms of an ablation whose runs are all finished.

    Args:
        plan: The plan.
        runs: Folder of runs.
        on: Predictions to compare; empty = those named by the ablation.
        resampling: Resamples of the intervals.

    Raises:
        InputError: If a run is missing, or the runs cannot be compared.
    """
    standing = stand(plan.jobs, runs)
    missing = sum(standing[job.digest][0] != "finished" for job in plan.jobs)
    ablation = plan.file.ablation
    if missing:
        raise InputError(
            f"{ablation.name}: {missing} of {len(plan.jobs)} runs are not finished",
            f"kgdx experiment ablate {ablation.name}",
        )
    others = [arm for arm in plan.file.arms if arm != ablation.reference]
    settings = []
    for setting in plan.settings:
        groups = {
            arm: [folder for job in plan.of(setting, arm) if (folder := standing[job.digest][1])]
            for arm in plan.file.arms
        }
        comparison = compare(
            groups,
            on=on or ablation.on,
            pairs=[(ablation.reference, arm) for arm in others],
            primary=[(ablation.reference, arm) for arm in ablation.primary],
            plan=resampling,
        )
        settings.append(Compared(setting, comparison))
    first = {job.arm: job.experiment for job in reversed(plan.jobs)}
    return AblationResult(
        name=ablation.name,
        about=ablation.about,
        base=ablation.base,
        reference=ablation.reference,
        primary=ablation.primary,
        seeds=ablation.seeds,
        folds=ablation.folds,
        arms={arm: dict(values) for arm, values in plan.file.arms.items()},
        channels=of_arms({arm: first[arm] for arm in plan.file.arms}),
        settings=tuple(settings),
        rotations=ablation.rotations,
    )


def keep(result: AblationResult, runs: Path, on: str = "") -> Path:
    """Write the result into its folder under `runs` and return its path.

    Args:
        result: The result.
        runs: Folder of runs.
        on: The compared predictions, where they are not those named by the ablation.
    """
    path = runs / "ablations" / (f"{result.name}-on-{on}" if on else result.name) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result.as_json())
    return path


def answer(result: AblationResult) -> Iterator[str]:
    """Conclusion of an ablation by setting.

    One sentence per primary endpoint, and one on rare and common findings.
    """
    for one in result.settings:
        under = one.comparison.preface + (f"{one.setting}: " if one.setting else "")
        for arm in result.primary:
            difference = one.comparison.between(result.reference, arm)[0]
            yield under + verdict_sentence(difference, one.comparison.level)
        if one.comparison.rarity:
            for arm in result.primary:
                yield under + rare_findings_sentence(one.comparison.rarity, result.reference, arm)
