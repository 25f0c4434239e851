"""Alignment of runs by study id, with checks that they may share a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from experiments.compare.runs import (
    EnsembleRuns,
    Run,
    check_by_fold,
    check_shared,
    columns_of,
    depends_on_seed,
    finished,
    on_shared_studies,
    read,
)
from experiments.metrics.arrays import FloatArray, Units
from experiments.metrics.calibration import log_odds
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset
from kg.errors import InputError

__all__ = ["Aligned", "Arm", "align"]


@dataclass(frozen=True)
class Arm:
    """All runs of one configuration, crossed by fold, seed and rotation.

    Args:
        name: Name of the entry.
        runs: Its runs, by fold, then seed, then rotation of the held-out findings.
        scores: Probabilities `[seeds, n, C]`, NaN = not possible; `[1, n, C]` of an ensemble.
        ensemble: Whether its runs predict together.
    """

    name: str
    runs: tuple[Run, ...]
    scores: FloatArray
    ensemble: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def folds(self) -> tuple[int, ...]:
        """Tested folds."""
        return tuple(dict.fromkeys(run.fold for run in self.runs))

    @property
    def parameters(self) -> int:
        """Number of trained parameters of its largest run; of an ensemble, of a fold's runs."""
        counts = [run.record.parameters for run in self.runs]
        if not self.ensemble:
            return max(counts)
        by_fold: Counter[tuple[int, int]] = Counter()
        for run, count in zip(self.runs, counts, strict=True):
            by_fold[run.fold, run.predictions.rotation] += count
        return max(by_fold.values())

    @cached_property
    def trained(self) -> bool:
        """Whether its weights depend on the seed."""
        return any(depends_on_seed(run.folder, run.experiment.stages) for run in self.runs)


@dataclass(frozen=True)
class Aligned:
    """Several configurations on the same studies, fold after fold, studies sorted by id.

    Args:
        studies: Study ids, length `n`.
        groups: Patient group of each.
        folds: Fold each was tested in, `[n]`; zeros where all runs predict the same studies.
        findings: Concept ids, length `C`.
        labels: 1, 0 or NaN, `[n, C]`.
        arms: The configurations.
        left_out: Number of studies that only some of the runs predict.
    """

    studies: tuple[str, ...]
    groups: tuple[str, ...]
    folds: np.ndarray[Any, Any]
    findings: tuple[str, ...]
    labels: FloatArray
    arms: tuple[Arm, ...]
    left_out: int = 0

    def units(self, modalities: Sequence[str] | None = None) -> Units:
        """Patients, folds and, where given, modalities of the rows."""
        groups = np.asarray(self.groups, dtype=object)
        return Units(groups, folds=self.folds, modalities=modalities)


def align(
    groups: Mapping[str, Sequence[RunFolder]],
    on: str = "test",
    reader: Callable[[RunFolder, str], Run] = read,
) -> Aligned:
    """Read the runs of each configuration and join their scores by study.

    Test sets of folds are concatenated. Where all runs predict the same studies (other data, the
    locked test set), the scores of the folds' runs are averaged, and studies that only some of them
    predict, because others were trained on them, are left out. Findings held out in rotations are
    concatenated too. Runs of an ensemble are one system, without seeds of its own.

    Args:
        groups: Runs of each configuration, by name; `EnsembleRuns` predict together.
        on: Name of their predictions (see `predictions_of`).
        reader: Reads a run with these predictions.

    Raises:
        InputError: If a run is not finished or has no such predictions, runs do not share data set,
            label set, findings, or, fold by fold, split manifest, studies and labels, or a
            configuration lacks a fold, rotation or seed that another of its runs has.
    """
    if not groups or not all(groups.values()):
        raise InputError("there is nothing to compare", "name runs, or experiments with runs")
    checked = finished(groups)
    runs = {name: [reader(folder, on) for folder in each] for name, each in checked.items()}
    check_shared([run for each in runs.values() for run in each])
    left_out = 0
    if next(iter(runs.values()))[0].predictions.shared:
        runs, left_out = on_shared_studies(runs)
    everything = [run for each in runs.values() for run in each]
    check_by_fold(everything)
    crosses = {
        name: (_ensemble if isinstance(groups[name], EnsembleRuns) else _cross)(
            name, each, everything
        )
        for name, each in runs.items()
    }
    tested = next(iter(crosses.values())).tested
    findings = next(iter(tested.values())).findings
    labels = [one.labels[:, columns_of(one, findings)] for one in tested.values()]
    return Aligned(
        studies=tuple(study for one in tested.values() for study in one.studies),
        groups=tuple(patient for one in tested.values() for patient in one.patients),
        folds=np.repeat(list(tested), [len(one.studies) for one in tested.values()]),
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
        predicted: Predictions of each seed by fold, all rotations side by side.
        ensemble: Whether the runs predict together.
    """

    runs: tuple[Run, ...]
    predicted: tuple[Mapping[int, ScoredSubset], ...]
    ensemble: bool = False

    @property
    def tested(self) -> Mapping[int, ScoredSubset]:
        """Studies and labels of each fold; of one only where all predict the same studies."""
        first = self.predicted[0]
        return {0: next(iter(first.values()))} if self.runs[0].predictions.shared else first

    def arm(self, name: str, findings: Sequence[str]) -> Arm:
        """The configuration with its scores `[seeds, n, C]`."""
        join = np.mean if self.runs[0].predictions.shared else np.concatenate
        scores = [
            join([_scores(one, findings) for one in each.values()], axis=0)
            for each in self.predicted
        ]
        return Arm(name, self.runs, np.stack(scores), self.ensemble)


def _cross(name: str, runs: Sequence[Run], everything: Sequence[Run]) -> _Cross:
    """Runs of one configuration, which must have every fold and rotation that any other has."""
    by_key: dict[tuple[int, int, int], Run] = {}
    for run in runs:
        twice = by_key.setdefault((run.fold, run.seed, run.predictions.rotation), run)
        if twice is not run:
            raise InputError(
                f"{name}: {twice.folder.run} and {run.folder.run} have the same fold and seed",
                "name the runs to compare, one of the two",
            )
    folds, rotations = _folds_and_rotations(runs, everything)
    seeds = sorted({run.seed for run in runs})
    expected = [(f, s, r) for f in folds for s in seeds for r in rotations]
    missing = [key for key in expected if key not in by_key]
    if missing:
        turn = " rotation {2}" if len(rotations) > 1 else ""
        listed = ", ".join(("fold {0} seed {1}" + turn).format(*key) for key in missing)
        raise InputError(
            f"{name} has no finished run of {listed}",
            "run the missing ones, or compare the folds and seeds that all have",
        )
    predicted = [
        {f: _joined([by_key[f, s, r].test for r in rotations]) for f in folds} for s in seeds
    ]
    return _Cross(tuple(by_key[key] for key in expected), tuple(predicted))


def _ensemble(name: str, runs: Sequence[Run], everything: Sequence[Run]) -> _Cross:
    """Runs that predict together, as many in every fold and rotation that any other has."""
    folds, rotations = _folds_and_rotations(runs, everything)
    by_key: dict[tuple[int, int], list[Run]] = {(f, r): [] for f in folds for r in rotations}
    for run in runs:
        by_key[run.fold, run.predictions.rotation].append(run)
    counts = {len(each) for each in by_key.values()}
    if len(counts) > 1:
        raise InputError(
            f"{name} has {min(counts)} runs of one fold, and {max(counts)} of another",
            "run the missing ones, or leave the ensemble out",
        )
    predicted = {f: _joined([_mean(by_key[f, r]) for r in rotations]) for f in folds}
    return _Cross(tuple(run for each in by_key.values() for run in each), (predicted,), True)


def _folds_and_rotations(
    runs: Sequence[Run], everything: Sequence[Run]
) -> tuple[list[int], list[int]]:
    """Folds and rotations that the runs of a configuration must have."""
    # on studies that all predict, each configuration has folds of its own
    folds = {run.fold for run in (runs if runs[0].predictions.shared else everything)}
    return sorted(folds), sorted({run.predictions.rotation for run in everything})


def _mean(runs: Sequence[Run]) -> ScoredSubset:
    """Predictions of several runs as the probabilities of their mean log-odds."""
    first = runs[0].test
    each = [log_odds(_scores(run.test, first.findings)) for run in runs]
    return replace(first, probabilities=expit(np.mean(each, axis=0)))


def _joined(rotations: Sequence[ScoredSubset]) -> ScoredSubset:
    """Findings of all rotations side by side; one held out in several is taken from the first."""
    first = rotations[0]
    chosen: dict[str, tuple[FloatArray, FloatArray]] = {}
    for one in rotations:
        for column, finding in enumerate(one.findings):
            chosen.setdefault(finding, (one.labels[:, column], one.probabilities[:, column]))
    labels, scores = (np.stack(columns, axis=1) for columns in zip(*chosen.values(), strict=True))
    return replace(first, findings=tuple(chosen), labels=labels, probabilities=scores)


def _scores(subset: ScoredSubset, findings: Sequence[str]) -> FloatArray:
    return np.asarray(subset.probabilities[:, columns_of(subset, findings)], dtype=np.float64)
