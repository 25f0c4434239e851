"""Joins runs study by study, never by position, and refuses what may not share a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from experiments.compare.runs import (
    Run,
    check_by_fold,
    check_shared,
    columns_of,
    finished,
    on_shared_studies,
    read,
)
from experiments.metrics.arrays import FloatArray, Units
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.records.predictions import ScoredSubset
from kg.errors import InputError

__all__ = ["Aligned", "Arm", "align"]


@dataclass(frozen=True)
class Arm:
    """All runs of one configuration, crossed by fold, seed and rotation.

    Args:
        name: Name of the entry.
        runs: Its runs, by fold, then seed, then rotation of the findings held out.
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
        folds: Fold each was tested in, `[n]`; zeros where all runs answer for the same studies.
        findings: Concept ids, length `C`.
        labels: 1, 0 or NaN, `[n, C]`.
        arms: The configurations.
        left_out: Studies that only some of the runs answer for.
    """

    studies: tuple[str, ...]
    groups: tuple[str, ...]
    folds: np.ndarray[Any, Any]
    findings: tuple[str, ...]
    labels: FloatArray
    arms: tuple[Arm, ...]
    left_out: int = 0

    def units(self, parts: Sequence[str] | None = None) -> Units:
        """How the rows hang together; with parts, each is judged within its own."""
        groups = np.asarray(self.groups, dtype=object)
        return Units(groups, folds=self.folds, modalities=parts)


def align(
    groups: Mapping[str, Sequence[RunFolder]],
    on: str = "test",
    reader: Callable[[RunFolder, str], Run] = read,
) -> Aligned:
    """Read the runs of each configuration and join their scores by study.

    Test parts of folds stand one after another. Where all runs answer for the same studies (other
    data, the locked part), the scores of the folds' runs are averaged, and what only some of them
    answer for, because others have learnt from it, is left out. Findings held out in rotations
    stand side by side.

    Args:
        groups: Runs of each configuration, by name.
        on: Which of their answers (see `answers_of`).
        reader: Reads a run with these answers.

    Raises:
        InputError: If a run is not finished or has no such answers, runs do not share data set,
            label set, findings, or, fold by fold, split manifest, studies and labels, or a
            configuration lacks a fold, rotation or seed that another of its runs has.
    """
    if not groups or not all(groups.values()):
        raise InputError("there is nothing to compare", "name runs, or experiments with runs")
    found = finished(groups)
    runs = {name: [reader(folder, on) for folder in each] for name, each in found.items()}
    check_shared([run for each in runs.values() for run in each])
    left_out = 0
    if next(iter(runs.values()))[0].answers.shared:
        runs, left_out = on_shared_studies(runs)
    everything = [run for each in runs.values() for run in each]
    check_by_fold(everything)
    crosses = {name: _cross(name, each, everything) for name, each in runs.items()}
    parts = next(iter(crosses.values())).tested
    findings = next(iter(parts.values())).findings
    labels = [part.labels[:, columns_of(part, findings)] for part in parts.values()]
    return Aligned(
        studies=tuple(study for part in parts.values() for study in part.studies),
        groups=tuple(patient for part in parts.values() for patient in part.patients),
        folds=np.repeat(list(parts), [len(part.studies) for part in parts.values()]),
        findings=findings,
        labels=np.concatenate(labels),
        arms=tuple(cross.arm(name, findings) for name, cross in crosses.items()),
        left_out=left_out,
    )


@dataclass(frozen=True)
class _Cross:
    """Runs of one configuration by fold, seed and rotation.

    Args:
        runs: The runs.
        parts: For each seed what was scored in each fold, all rotations side by side.
    """

    runs: tuple[Run, ...]
    parts: tuple[Mapping[int, ScoredSubset], ...]

    @property
    def tested(self) -> Mapping[int, ScoredSubset]:
        """Studies and labels of each fold; of one alone where all answer for the same studies."""
        first = self.parts[0]
        return {0: next(iter(first.values()))} if self.runs[0].answers.shared else first

    def arm(self, name: str, findings: Sequence[str]) -> Arm:
        """The configuration with its scores `[seeds, n, C]`."""
        join = np.mean if self.runs[0].answers.shared else np.concatenate
        scores = [
            join([_scores(part, findings) for part in each.values()], axis=0) for each in self.parts
        ]
        return Arm(name, self.runs, np.stack(scores))


def _cross(name: str, runs: Sequence[Run], everything: Sequence[Run]) -> _Cross:
    """Runs of one configuration; it must have every fold and rotation that any other has."""
    found: dict[tuple[int, int, int], Run] = {}
    for run in runs:
        twice = found.setdefault((run.fold, run.seed, run.answers.rotation), run)
        if twice is not run:
            raise InputError(
                f"{name}: {twice.folder.run} and {run.folder.run} have the same fold and seed",
                "name the runs to compare, one of the two",
            )
    # on studies that all answer for, each configuration has folds of its own
    folds = sorted({run.fold for run in (runs if runs[0].answers.shared else everything)})
    rotations = sorted({run.answers.rotation for run in everything})
    seeds = sorted({run.seed for run in runs})
    wanted = [(f, s, r) for f in folds for s in seeds for r in rotations]
    missing = [key for key in wanted if key not in found]
    if missing:
        turn = " rotation {2}" if len(rotations) > 1 else ""
        said = ", ".join(("fold {0} seed {1}" + turn).format(*key) for key in missing)
        raise InputError(
            f"{name} has no finished run of {said}",
            "run what is missing, or compare the folds and seeds that all have",
        )
    parts = [{f: _joined([found[f, s, r].test for r in rotations]) for f in folds} for s in seeds]
    return _Cross(tuple(found[key] for key in wanted), tuple(parts))


def _joined(rotations: Sequence[ScoredSubset]) -> ScoredSubset:
    """Findings of all rotations side by side; one held out in several is that of the first."""
    first = rotations[0]
    chosen: dict[str, tuple[FloatArray, FloatArray]] = {}
    for part in rotations:
        for column, finding in enumerate(part.findings):
            chosen.setdefault(finding, (part.labels[:, column], part.probabilities[:, column]))
    labels, scores = (np.stack(columns, axis=1) for columns in zip(*chosen.values(), strict=True))
    return replace(first, findings=tuple(chosen), labels=labels, probabilities=scores)


def _scores(part: ScoredSubset, findings: Sequence[str]) -> FloatArray:
    return np.asarray(part.probabilities[:, columns_of(part, findings)], dtype=np.float64)
