"""Grouping of runs by configuration: all folds and seeds of one are one entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.compare.settings import differing, experiment_of, flat, same_but_for_the_draw
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, find_run, list_runs
from kg.errors import InputError, did_you_mean

__all__ = ["finished_runs", "gather", "named_runs"]


def gather(folders: Sequence[RunFolder]) -> dict[str, list[RunFolder]]:
    """Runs by configuration, in order of appearance; a run named twice counts once.

    A configuration has its experiment's name; where several have that name, the settings that
    differ are added.
    """
    groups: dict[str, tuple[Experiment, list[RunFolder]]] = {}
    for folder in {each.path.resolve(): each for each in folders}.values():
        experiment = experiment_of(folder)
        key = same_but_for_the_draw(experiment)
        groups.setdefault(key, (experiment, []))[1].append(folder)
    names = _names([experiment for experiment, _ in groups.values()])
    return {name: runs for name, (_, runs) in zip(names, groups.values(), strict=True)}


def named_runs(runs: Path, names: Iterable[str], experiments: Iterable[str]) -> list[RunFolder]:
    """Runs under a folder by name, then the finished runs of experiments.

    Raises:
        InputError: If there is none of a name.
    """
    return [*(find_run(name, runs) for name in names), *finished_runs(runs, experiments)]


def finished_runs(runs: Path, experiments: Iterable[str]) -> list[RunFolder]:
    """Finished runs of the named experiments under a folder.

    Raises:
        InputError: If there are none of a name.
    """
    known: dict[str, list[RunFolder]] = {}
    for folder in list_runs(runs):
        if folder.record.is_file():
            record = folder.load_record()
            if record.status == "finished":
                known.setdefault(str(record.experiment.get("name")), []).append(folder)
    selected: list[RunFolder] = []
    for name in experiments:
        if name not in known:
            raise InputError(
                f"no finished run in {runs} is of experiment {name!r}", did_you_mean(name, known)
            )
        selected += known[name]
    return selected


def _names(experiments: Sequence[Experiment]) -> list[str]:
    """Unique name of each configuration."""
    names = []
    for experiment in experiments:
        alike = [flat(other) for other in experiments if other.name == experiment.name]
        own = flat(experiment)
        settings = [f"{key}={own[key]}" for key in differing(alike) if key in own]
        names.append(" ".join([experiment.name, *settings]))
    return names
