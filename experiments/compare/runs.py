"""Runs and their answers as they are read, and what must be equal in those that share a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.compare.answers import Answers, answers_of
from experiments.compare.settings import experiment_of
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset
from experiments.records.record import RunRecord
from kg.errors import InputError

__all__ = [
    "Run",
    "check_by_fold",
    "check_shared",
    "columns_of",
    "finished",
    "on_shared_studies",
    "read",
]


@dataclass(frozen=True)
class Run:
    """One finished run.

    Args:
        folder: Its folder.
        record: Its record.
        experiment: Its configuration.
        answers: Those of its answers that are compared.
    """

    folder: RunFolder
    record: RunRecord
    experiment: Experiment
    answers: Answers

    @property
    def test(self) -> ScoredSubset:
        """What it scored, sorted by study."""
        return self.answers.part

    @property
    def fold(self) -> int:
        """The fold or source it tested; 0 where there is but one test part."""
        split = self.experiment.split
        return split.fold if split.one_of_several else 0

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.experiment.seed


def columns_of(part: ScoredSubset, findings: Sequence[str]) -> list[int]:
    """Where the findings stand in a part."""
    return [part.findings.index(finding) for finding in findings]


def finished(groups: Mapping[str, Sequence[RunFolder]]) -> Mapping[str, Sequence[RunFolder]]:
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


def read(folder: RunFolder, on: str) -> Run:
    """A run with its answers."""
    record, experiment = folder.load_record(), experiment_of(folder)
    return Run(folder, record, experiment, answers_of(folder, record, experiment, on))


def on_shared_studies(
    runs: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, list[Run]], int]:
    """The runs with the studies that all of them answer for, and how many others there are."""
    answered = [set(run.test.studies) for each in runs.values() for run in each]
    shared = set.intersection(*answered)
    if not shared:
        raise InputError("no study was answered by all of the runs", "compare fewer runs")

    def cut(run: Run) -> Run:
        rows = [row for row, study in enumerate(run.test.studies) if study in shared]
        return replace(run, answers=replace(run.answers, part=run.test.at(rows)))

    made = {name: [cut(run) for run in each] for name, each in runs.items()}
    return made, len(set.union(*answered)) - len(shared)


_MUST: dict[str, Callable[[Run], object]] = {
    "data set": lambda run: run.answers.dataset,
    "label set": lambda run: run.answers.labels,
    "label policy": lambda run: dict(run.answers.label_policy),
    "answers": lambda run: run.test.part,
    "studies: own and other data": lambda run: run.answers.shared,
}
"""What all runs of a table share."""

_MUST_BY_FOLD: dict[str, Callable[[Run], object]] = {
    "split manifest": lambda run: "" if run.answers.shared else run.record.split_manifest,
    "studies": lambda run: run.test.studies,
    "patients": lambda run: run.test.patients,
}
"""What all runs of a fold share."""


def check_shared(runs: Sequence[Run]) -> None:
    """Refuse runs that may not stand in one table whatever their studies."""
    rotations: dict[int, Run] = {}
    for run in runs:
        for what, of in _MUST.items():
            if of(run) != of(runs[0]):
                raise _refused(runs[0], run, what)
        same_rotation = rotations.setdefault(run.answers.rotation, run)
        if set(run.test.findings) != set(same_rotation.test.findings):
            raise _refused(same_rotation, run, "findings")


def check_by_fold(runs: Sequence[Run]) -> None:
    """Refuse runs that were not tested on the same studies, fold by fold."""
    by_fold: dict[int, Run] = {}
    by_rotation: dict[tuple[int, int], Run] = {}
    for run in runs:
        fold = 0 if run.answers.shared else run.fold
        same_fold = by_fold.setdefault(fold, run)
        for what, of in _MUST_BY_FOLD.items():
            if of(run) != of(same_fold):
                raise _refused(same_fold, run, what)
        like = by_rotation.setdefault((fold, run.answers.rotation), run)
        columns = columns_of(run.test, like.test.findings)
        if not np.array_equal(run.test.labels[:, columns], like.test.labels, equal_nan=True):
            raise _refused(like, run, "labels")


def _refused(one: Run, other: Run, what: str) -> InputError:
    """Why two runs may not stand in one table."""
    said = ""
    if what in ("data set", "label set", "answers"):
        said = f": {_MUST[what](one)} and {_MUST[what](other)}"
    if what == "studies":
        apart = set(one.test.studies) ^ set(other.test.studies)
        said = f": {len(apart)} were tested by one of them only"
    return InputError(
        f"{one.folder.run} and {other.folder.run} do not share their {what}{said}",
        "compare runs of the same split of the same data, or run one of them again",
    )
