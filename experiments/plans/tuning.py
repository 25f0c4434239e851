"""Tuning of a plan: the same drawn settings for every system, chosen on one fold's validation.

The settings are drawn once from one space, most of them as factors on what a configuration has
itself, so that every system has the same budget. Its own values are a candidate too. Test studies
have no part in the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.compare.records import METRICS
from experiments.config.load import as_overrides
from experiments.config.parts import read_checked
from experiments.config.schema import Experiment
from experiments.metrics.arrays import mean_of_defined
from experiments.metrics.ranking import auprc, auroc
from experiments.plans.jobs import Job, named, stand
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.records.predictions import read_predictions
from experiments.runs.build import chosen_system
from fusion.stage import Stage

__all__ = [
    "OWN",
    "SPACE",
    "Choice",
    "Hyperparameter",
    "candidates",
    "choose",
    "draw",
    "keep_choices",
    "own_setting",
    "space_of",
    "tuned",
    "validation_score",
    "with_setting",
]

FILE = "tuning.json"
OWN = "own values"
"""The candidate that changes nothing."""


@dataclass(frozen=True)
class Hyperparameter:
    """A value that is drawn.

    Args:
        name: Its name.
        of: Whether it is a key of every stage, or an option of the system where it has it.
        low: Least value.
        high: Largest value.
        factor: Whether it is a factor on the configuration's own value, drawn evenly on a
            logarithmic scale; else it is the value itself.
    """

    name: str
    of: Literal["stages", "system"]
    low: float
    high: float
    factor: bool = True


SPACE = (
    Hyperparameter("learning_rate", "stages", 0.3, 3.0),
    Hyperparameter("weight_decay", "stages", 0.1, 10.0),
    Hyperparameter("epochs", "stages", 0.5, 2.0),
    Hyperparameter("dropout", "system", 0.0, 0.5, factor=False),
    Hyperparameter("strength", "system", 0.1, 10.0),
)
"""The space; `strength` is that of logistic regression."""


@dataclass(frozen=True)
class Choice:
    """Chosen setting of a row.

    Args:
        scores: Compared metric on validation by candidate; those that did not finish are missing.
        chosen: The best candidate.
    """

    scores: Mapping[str, float]
    chosen: str

    @property
    def about(self) -> str:
        """The chosen candidate with its values; a factor on the configuration's own has an x."""
        if self.chosen == OWN:
            return OWN
        values = _values_of(self.chosen)
        said = (f"{one.name} {values[one.name]:g}{'x' * one.factor}" for one in SPACE)
        return f"{self.chosen} ({', '.join(said)})"


def draw(count: int) -> dict[str, dict[str, float]]:
    """Settings drawn from the space by name, the same for every system."""
    rng = np.random.default_rng(0)
    return {
        f"setting {number}": {one.name: _drawn(one, rng) for one in SPACE}
        for number in range(1, count + 1)
    }


def _values_of(name: str) -> dict[str, float]:
    """Values of a drawn setting, which depend on its number alone."""
    return draw(int(name.split()[1]))[name]


def _drawn(one: Hyperparameter, rng: np.random.Generator) -> float:
    if one.factor:
        return _short(float(np.exp(rng.uniform(np.log(one.low), np.log(one.high)))))
    return _short(float(rng.uniform(one.low, one.high)))


def _short(value: float) -> float:
    """A number of three digits."""
    return float(f"{value:.3g}")


def candidates(label: str, first: Job, count: int) -> dict[str, Job]:
    """Runs that try the drawn settings of a row, by their name; none where it has no such value.

    Args:
        label: Name of the row.
        first: Its run of the first fold and seed, which tries its own values.
        count: Number of settings.
    """
    tried = {OWN: first}
    for name, setting in draw(count).items():
        if changes := _changes(setting, first.experiment):
            tried[name] = _changed(label, first, changes, name)
    return tried


def choose(tried: Mapping[str, Job], metric: str, runs: Path) -> Choice | None:
    """The candidate that is best on validation; None where its own values were not tried yet."""
    standing = stand(tried.values(), runs)
    scores = {
        name: validation_score(folder, metric)
        for name, (state, folder) in ((name, standing[job.digest]) for name, job in tried.items())
        if state == "finished" and folder is not None
    }
    if OWN not in scores:
        return None
    return Choice(scores, max(scores, key=lambda name: (scores[name], name == OWN)))


def tuned(label: str, choice: Choice, jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The runs of a row with the chosen setting, one for each of its own runs.

    Args:
        label: Name of the row.
        choice: The chosen setting.
        jobs: Its own runs.
    """
    if choice.chosen == OWN:
        return tuple(jobs)
    setting = _values_of(choice.chosen)
    return tuple(with_setting(label, job, setting, "tuned") for job in jobs)


def keep_choices(choices: Mapping[str, Choice], count: int, folder: Path) -> Path:
    """Write space, drawn settings and choices into the folder of a plan."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {label: asdict(choice) for label, choice in choices.items()}
    space = [asdict(one) for one in SPACE]
    write_json(folder / FILE, {"space": space, "settings": draw(count), "rows": rows})
    return folder / FILE


def space_of(experiment: Experiment) -> tuple[Hyperparameter, ...]:
    """Those of the space that a configuration has."""
    part, options, stages = chosen_system(experiment)
    names = set(type(options).model_fields)
    if stages and part.loss_names(options):
        names |= {one.name for one in SPACE if one.of == "stages"}
    return tuple(one for one in SPACE if one.name in names)


def own_setting(experiment: Experiment) -> dict[str, float]:
    """The setting that changes nothing in a configuration."""
    _, options, _ = chosen_system(experiment)
    return {
        one.name: 1.0 if one.factor else float(getattr(options, one.name))
        for one in space_of(experiment)
    }


def _changes(setting: Mapping[str, float], experiment: Experiment) -> dict[str, Any]:
    """What a drawn setting changes in a configuration, by dotted key."""
    _, options, stages = chosen_system(experiment)
    space = space_of(experiment)
    changes: dict[str, Any] = {}
    if any(one.of == "stages" for one in space):
        changes["stages"] = [_stage(stage, setting) for stage in stages]
    for one in space:
        if one.of == "system":
            own = getattr(options, one.name) if one.factor else 1.0
            changes[f"system.options.{one.name}"] = _short(own * setting[one.name])
    return changes


def _stage(stage: Stage, setting: Mapping[str, float]) -> dict[str, Any]:
    """Values of a stage with its factors."""
    values = stage.model_dump(mode="json")
    factors = {one.name: setting[one.name] for one in SPACE if one.of == "stages"}
    values |= {name: _short(values[name] * factor) for name, factor in factors.items()}
    return values | {"epochs": max(1, round(values["epochs"]))}


def with_setting(label: str, job: Job, setting: Mapping[str, float], word: str) -> Job:
    """A job with a setting.

    Args:
        label: Name in messages.
        job: The job with its own values.
        setting: Value of each hyperparameter of `space_of`.
        word: End of the name of the new configuration.
    """
    return _changed(label, job, _changes(setting, job.experiment), word)


def _changed(label: str, job: Job, changes: Mapping[str, Any], word: str) -> Job:
    """A job with other values, its configuration under a name of its own."""
    own = job.experiment
    called = {"name": f"{own.name}-{word.replace(' ', '-')}"}
    laid = as_overrides({**changes, **called})
    experiment = read_checked(own.model_dump(mode="json"), laid)
    return Job(named(f"{label}, {word}", experiment), experiment)


def validation_score(folder: RunFolder, metric: str) -> float:
    """Macro mean over the findings of the validation studies of a run."""
    (subset,) = (one for one in read_predictions(folder.predictions) if one.part == "validation")
    statistic = {"auroc": auroc, "auprc": auprc}[METRICS[metric]]
    return float(mean_of_defined(statistic(subset.labels, subset.probabilities)))
