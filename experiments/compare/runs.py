"""Runs with their predictions, and checks that runs may share a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.compare.predictions import Predictions, predictions_of
from experiments.compare.settings import experiment_of
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.records.predictions import ScoredSubset
from experiments.records.record import RunRecord
from kg.errors import InputError

__all__ = [
    "EnsembleRuns",
    "Run",
    "check_by_fold",
    "check_shared",
    "columns_of",
    "depends_on_seed",
    "finished",
    "on_shared_studies",
    "read",
]


class EnsembleRuns(tuple[RunFolder, ...]):
    """Runs that predict together: the mean of their log-odds for each study.

    They are runs of several configurations, of several seeds, or both, over the same folds.
    """


@dataclass(frozen=True)
class Run:
    """One finished run.

    Args:
        folder: Its folder.
        record: Its record.
        experiment: Its configuration.
        predictions: Compared predictions.
    """

    folder: RunFolder
    record: RunRecord
    experiment: Experiment
    predictions: Predictions

    @property
    def test(self) -> ScoredSubset:
        """Probabilities and labels, sorted by study."""
        return self.predictions.part

    @property
    def fold(self) -> int:
        """Tested fold or origin; 0 where there is only one test set."""
        split = self.experiment.split
        return split.fold if split.one_of_several else 0

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.experiment.seed


def depends_on_seed(folder: RunFolder, stages: Sequence[object]) -> bool:
    """Whether the weights of a run depend on its seed: stages are configured or were logged."""
    return bool(stages or read_metrics(folder.metrics))


def columns_of(subset: ScoredSubset, findings: Sequence[str]) -> list[int]:
    """Column indices of findings."""
    return [subset.findings.index(finding) for finding in findings]


def finished(groups: Mapping[str, Sequence[RunFolder]]) -> Mapping[str, Sequence[RunFolder]]:
    """The groups; raises where a run is not finished."""
    states = {
        folder.run: folder.load_record().status if folder.record.is_file() else "not started"
        for each in groups.values()
        for folder in each
    }
    unfinished = [f"{run} ({status})" for run, status in states.items() if status != "finished"]
    if unfinished:
        raise InputError(
            f"not finished: {', '.join(unfinished)}", "kgdx experiment resume RUN, or leave it out"
        )
    return groups


def read(folder: RunFolder, on: str) -> Run:
    """Read a run with its predictions."""
    record, experiment = folder.load_record(), experiment_of(folder)
    return Run(folder, record, experiment, predictions_of(folder, record, experiment, on))


def on_shared_studies(
    runs: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, list[Run]], int]:
    """Runs cut to the studies that all of them predict, and the number of other studies."""
    predicted = [set(run.test.studies) for each in runs.values() for run in each]
    shared = set.intersection(*predicted)
    if not shared:
        raise InputError("no study was predicted by all of the runs", "compare fewer runs")

    def cut(run: Run) -> Run:
        rows = [row for row, study in enumerate(run.test.studies) if study in shared]
        return replace(run, predictions=replace(run.predictions, part=run.test.at(rows)))

    common = {name: [cut(run) for run in each] for name, each in runs.items()}
    return common, len(set.union(*predicted)) - len(shared)


_MUST: dict[str, Callable[[Run], object]] = {
    "data set": lambda run: run.predictions.dataset,
    "label set": lambda run: run.predictions.labels,
    "label policy": lambda run: dict(run.predictions.label_policy),
    "predictions": lambda run: run.test.part,
    "studies: own and other data": lambda run: run.predictions.shared,
}
"""Properties that all runs of a table share."""

_MUST_BY_FOLD: dict[str, Callable[[Run], object]] = {
    "split manifest": lambda run: "" if run.predictions.shared else run.record.split_manifest,
    "studies": lambda run: run.test.studies,
    "patients": lambda run: run.test.patients,
}
"""Properties that all runs of a fold share."""


def check_shared(runs: Sequence[Run]) -> None:
    """Raise for runs that may not share a table, whatever their studies."""
    rotations: dict[int, Run] = {}
    for run in runs:
        for what, of in _MUST.items():
            if of(run) != of(runs[0]):
                raise _refused(runs[0], run, what)
        same_rotation = rotations.setdefault(run.predictions.rotation, run)
        if set(run.test.findings) != set(same_rotation.test.findings):
            raise _refused(same_rotation, run, "findings")


def check_by_fold(runs: Sequence[Run]) -> None:
    """Raise for runs that were not tested on the same studies, fold by fold."""
    by_fold: dict[int, Run] = {}
    by_rotation: dict[tuple[int, int], Run] = {}
    for run in runs:
        fold = 0 if run.predictions.shared else run.fold
        same_fold = by_fold.setdefault(fold, run)
        for what, of in _MUST_BY_FOLD.items():
            if of(run) != of(same_fold):
                raise _refused(same_fold, run, what)
        like = by_rotation.setdefault((fold, run.predictions.rotation), run)
        columns = columns_of(run.test, like.test.findings)
        if not np.array_equal(run.test.labels[:, columns], like.test.labels, equal_nan=True):
            raise _refused(like, run, "labels")


def _refused(one: Run, other: Run, what: str) -> InputError:
    """Error that says why two runs may not share a table."""
    detail = ""
    if what in ("data set", "label set", "predictions"):
        detail = f": {_MUST[what](one)} and {_MUST[what](other)}"
    if what == "studies":
        apart = set(one.test.studies) ^ set(other.test.studies)
        detail = f": {len(apart)} were tested by one of them only"
    return InputError(
        f"{one.folder.run} and {other.folder.run} do not share their {what}{detail}",
        "compare runs of the same split of the same data, or run one of them again",
    )
