"""Transfer matrix: one row per configuration, one column per tested data set and label set.

It is made from the records: each run's own test set, and the evaluations of `experiment evaluate`.
Folds and seeds are joined as in a comparison, and give the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.compare.compare import compare
from experiments.compare.predictions import evaluations
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.record import Measured

__all__ = ["Cell", "Crossing", "Transfer", "transfer"]


@dataclass(frozen=True)
class Cell:
    """Metric of one configuration on one data set.

    Args:
        trained_on: Name of the configuration, with its training data set and labels.
        tested_on: Data set and labels, `locked` for the locked test set, missing modalities.
        basis: `trained` or `zero_shot`; the two are never averaged together.
        own: Whether it is the configuration's own test set.
        studies: Studies tested.
        asked: Number of predicted findings.
        value: Macro AUROC, with the number of findings that have enough positives.
    """

    trained_on: str
    tested_on: str
    basis: str
    own: bool
    studies: int
    asked: int
    value: Measured


@dataclass(frozen=True)
class Crossing:
    """Match of a finding of the tested data with a finding of a configuration.

    Args:
        trained_on: The configuration, as in the cells.
        tested_on: Data set and labels, as in the cells.
        finding: Concept id in the labels of the data.
        asked: Concept id that was predicted; None where there is no match.
        how: `same`, `exact_match`, or `no_equivalent` among the trained findings.
    """

    trained_on: str
    tested_on: str
    finding: str
    asked: str | None
    how: str


@dataclass(frozen=True)
class Transfer:
    """Transfer matrix.

    Args:
        cells: One per configuration, data set and basis.
        crossings: Matches of findings.
    """

    cells: tuple[Cell, ...]
    crossings: tuple[Crossing, ...]


def transfer(groups: Mapping[str, Sequence[RunFolder]], plan: Plan = USUAL) -> Transfer:
    """Matrix of configurations and the data sets that all of their runs were tested on.

    Args:
        groups: Finished runs of each configuration, over folds and seeds, by name.
        plan: Resamples of the intervals, and fewest positives of an averaged finding.

    Raises:
        InputError: If the runs of a configuration cannot be joined (see `align`).
    """
    cells: list[Cell] = []
    crossings: dict[tuple[str, str, str], Crossing] = {}
    for name, runs in groups.items():
        row, columns = _row(name, runs)
        for predictions, (place, basis, matches) in columns.items():
            comparison = compare({row: runs}, on=predictions, pairs=[], plan=plan)
            (entry,) = comparison.entries
            value = entry.metrics["auroc_macro"]
            shape = (predictions == TEST, comparison.studies, len(entry.findings))
            cells.append(Cell(row, place, basis, *shape, value))
            for one in matches:
                crossing = Crossing(row, place, one["finding"], one["asked"], one["how"])
                crossings[row, place, crossing.finding] = crossing
    return Transfer(tuple(cells), tuple(crossings.values()))


def _row(
    name: str, runs: Sequence[RunFolder]
) -> tuple[str, dict[str, tuple[str, str, Sequence[Mapping[str, Any]]]]]:
    """Name of a row, and place, basis and matches of all its evaluations by name."""
    records = [run.load_record() for run in runs]
    first, known = records[0], [{name for name, _, _ in evaluations(r)} for r in records]
    own = f"{first.dataset} {first.labels}"
    columns: dict[str, tuple[str, str, Sequence[Mapping[str, Any]]]] = {TEST: (own, "trained", ())}
    for predictions, basis, test in evaluations(first):
        place = f"{test['dataset']} {test['labels']}"
        place += " locked" * (test["part"] == "locked")
        place += "".join(f" without {modality}" for modality in test.get("without", ()))
        again = place == own and not test["external"]  # the test set once more
        if all(predictions in each for each in known) and not again:
            columns[predictions] = (place, basis, test["matches"])
    return f"{name} ({own})", columns
