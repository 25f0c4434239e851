"""Joins runs study by study, never by position, and refuses what may not share a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from experiments.compare.settings import experiment_of
from experiments.config.schema import Experiment
from experiments.metrics.arrays import FloatArray, Units
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.records.predictions import ScoredPart, read_predictions
from experiments.records.record import RunRecord
from kg.errors import InputError

__all__ = ["Aligned", "Arm", "Run", "align"]


@dataclass(frozen=True)
class Run:
    """One finished run.

    Args:
        folder: Its folder.
        record: Its record.
        experiment: Its configuration.
        test: What it scored, by study id and finding id.
    """

    folder: RunFolder
    record: RunRecord
    experiment: Experiment
    test: ScoredPart

    @property
    def fold(self) -> int:
        """The fold or source it tested; 0 where there is but one test part."""
        split = self.experiment.split
        return split.fold if split.one_of_several else 0

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.experiment.seed


@dataclass(frozen=True)
class Arm:
    """All runs of one configuration, crossed by fold and seed.

    Args:
        name: Name of the entry.
        runs: Its runs, by fold, then seed.
        scores: Probabilities `[seeds, n, C]`, NaN = not possible.
    """

    name: str
    runs: tuple[Run, ...]
    scores: FloatArray

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that ran."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def folds(self) -> tuple[int, ...]:
        """Folds that were tested."""
        return tuple(dict.fromkeys(run.fold for run in self.runs))

    @cached_property
    def trained(self) -> bool:
        """Whether its weights depend on the seed: it has stages, or measured while training."""
        return any(run.experiment.stages or read_metrics(run.folder.metrics) for run in self.runs)


@dataclass(frozen=True)
class Aligned:
    """Several configurations on the same studies, fold after fold, studies sorted by id.

    Args:
        studies: Study ids, length `n`.
        groups: Patient group of each.
        folds: Fold each was tested in, `[n]`.
        findings: Concept ids, length `C`.
        labels: 1, 0 or NaN, `[n, C]`.
        arms: The configurations.
    """

    studies: tuple[str, ...]
    groups: tuple[str, ...]
    folds: np.ndarray[Any, Any]
    findings: tuple[str, ...]
    labels: FloatArray
    arms: tuple[Arm, ...]

    def units(self, parts: Sequence[str] | None = None) -> Units:
        """How the rows hang together; with parts, each is judged within its own."""
        groups = np.asarray(self.groups, dtype=object)
        return Units(groups, folds=self.folds, parts=parts)


def align(groups: Mapping[str, Sequence[RunFolder]]) -> Aligned:
    """Read the runs of each configuration and join their scores by study.

    Raises:
        InputError: If a run is not finished, runs do not share data set, label set, findings,
            or, fold by fold, split manifest, studies and labels, or a configuration lacks a fold
            or seed that another of its runs has.
    """
    if not groups or not all(groups.values()):
        raise InputError("there is nothing to compare", "name runs, or experiments with runs")
    runs = {name: [_read(folder) for folder in each] for name, each in _finished(groups).items()}
    everything = [run for each in runs.values() for run in each]
    _check_shared(everything)
    first = everything[0]
    by_fold = {run.fold: run for run in reversed(everything)}
    arms = [_cross(name, each, sorted(by_fold), first.test.findings) for name, each in runs.items()]
    tested = [by_fold[fold].test for fold in sorted(by_fold)]
    columns = [_columns(part, first.test.findings) for part in tested]
    return Aligned(
        studies=tuple(study for part in tested for study in part.studies),
        groups=tuple(patient for part in tested for patient in part.patients),
        folds=np.repeat(sorted(by_fold), [len(part.studies) for part in tested]),
        findings=first.test.findings,
        labels=np.concatenate([p.labels[:, c] for p, c in zip(tested, columns, strict=True)]),
        arms=tuple(arms),
    )


def _finished(groups: Mapping[str, Sequence[RunFolder]]) -> Mapping[str, Sequence[RunFolder]]:
    """The groups, once every run of them is finished."""
    stands = {
        folder.run: folder.load_record().status if folder.record.is_file() else "not started"
        for each in groups.values()
        for folder in each
    }
    open_ones = [f"{run} ({status})" for run, status in stands.items() if status != "finished"]
    if open_ones:
        raise InputError(
            f"not finished: {', '.join(open_ones)}", "kgdx experiment resume RUN, or leave it out"
        )
    return groups


def _read(folder: RunFolder) -> Run:
    """A run with its test part sorted by study."""
    parts = [part for part in read_predictions(folder.predictions) if part.part == "test"]
    if not parts:
        raise InputError(f"{folder.predictions} has no test part", "run the experiment again")
    part = parts[0]
    if len(set(part.studies)) < len(part.studies):
        raise InputError(f"{folder.predictions}: a study is scored twice", "run it again")
    order = sorted(range(len(part.studies)), key=part.studies.__getitem__)
    test = ScoredPart(
        part=part.part,
        studies=tuple(part.studies[row] for row in order),
        patients=tuple(part.patients[row] for row in order),
        findings=part.findings,
        labels=part.labels[order],
        probabilities=part.probabilities[order],
    )
    return Run(folder, folder.load_record(), experiment_of(folder), test)


def _columns(part: ScoredPart, findings: Sequence[str]) -> list[int]:
    """Where the findings stand in a part."""
    return [part.findings.index(finding) for finding in findings]


_MUST: dict[str, Callable[[Run], object]] = {
    "data set": lambda run: run.record.dataset,
    "label set": lambda run: run.record.labels,
    "label policy": lambda run: dict(run.record.label_policy),
    "findings": lambda run: sorted(run.test.findings),
}
"""What all runs of a table share."""

_MUST_BY_FOLD: dict[str, Callable[[Run], object]] = {
    "split manifest": lambda run: run.record.split_manifest,
    "studies": lambda run: run.test.studies,
    "patients": lambda run: run.test.patients,
}
"""What all runs of a fold share."""


def _check_shared(runs: Sequence[Run]) -> None:
    """Refuse runs that may not stand in one table."""
    first = runs[0]
    by_fold: dict[int, Run] = {}
    for run in runs:
        same_fold = by_fold.setdefault(run.fold, run)
        for must, other in ((_MUST, first), (_MUST_BY_FOLD, same_fold)):
            for what, of in must.items():
                if of(run) != of(other):
                    raise _refused(other, run, what)
        columns = _columns(run.test, same_fold.test.findings)
        if not np.array_equal(run.test.labels[:, columns], same_fold.test.labels, equal_nan=True):
            raise _refused(same_fold, run, "labels")


def _refused(one: Run, other: Run, what: str) -> InputError:
    """Why two runs may not stand in one table."""
    said = ""
    if what in ("data set", "label set"):
        said = f": {_MUST[what](one)} and {_MUST[what](other)}"
    if what == "studies":
        apart = set(one.test.studies) ^ set(other.test.studies)
        said = f": {len(apart)} were tested by one of them only"
    return InputError(
        f"{one.folder.run} and {other.folder.run} do not share their {what}{said}",
        "compare runs of the same split of the same data, or run one of them again",
    )


def _cross(name: str, runs: Sequence[Run], folds: Sequence[int], findings: Sequence[str]) -> Arm:
    """Runs of one configuration by fold and seed, and their scores."""
    found: dict[tuple[int, int], Run] = {}
    for run in runs:
        twice = found.setdefault((run.fold, run.seed), run)
        if twice is not run:
            raise InputError(
                f"{name}: {twice.folder.run} and {run.folder.run} have the same fold and seed",
                "name the runs to compare, one of the two",
            )
    seeds = sorted({seed for _, seed in found})
    missing = [f"fold {f} seed {s}" for f in folds for s in seeds if (f, s) not in found]
    if missing:
        raise InputError(
            f"{name} has no finished run of {', '.join(missing)}",
            "run what is missing, or compare the folds and seeds that all have",
        )
    scores = [
        np.concatenate([_scores(found[fold, seed].test, findings) for fold in folds])
        for seed in seeds
    ]
    return Arm(name, tuple(found[f, s] for f in folds for s in seeds), np.stack(scores))


def _scores(part: ScoredPart, findings: Sequence[str]) -> FloatArray:
    return np.asarray(part.probabilities[:, _columns(part, findings)], dtype=np.float64)
