"""Trained here, tested there: one row a configuration, one column a data set and its labels.

Made of the records alone: each run's own test set, and what `experiment evaluate` has kept. The
numbers are those a comparison gives, so folds and seeds are joined as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.compare.answers import evaluations
from experiments.compare.compare import compare
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.record import Measured

__all__ = ["Cell", "Crossing", "Transfer", "transfer"]


@dataclass(frozen=True)
class Cell:
    """One configuration on one data set.

    Args:
        trained_on: Name of the configuration, with the data set and labels it learnt from.
        tested_on: Data set and labels, `locked` where that part was tested, what was withheld.
        basis: `trained` or `zero_shot`: findings of the one are never averaged with the other's.
        own: Whether it is the configuration's own test set.
        studies: Studies tested.
        asked: Findings that were asked for.
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
    """A finding of tested data, and what a configuration was asked for in its place.

    Args:
        trained_on: The configuration, as in the cells.
        tested_on: Data set and labels, as in the cells.
        finding: Concept id in the labels of the data.
        asked: Concept id that was asked for; None where the finding cannot be answered.
        how: `same`, `exact_match`, or `no_equivalent` among the findings trained on.
    """

    trained_on: str
    tested_on: str
    finding: str
    asked: str | None
    how: str


@dataclass(frozen=True)
class Transfer:
    """The matrix.

    Args:
        cells: One a configuration, data set and basis.
        crossings: How labels were carried over, finding by finding.
    """

    cells: tuple[Cell, ...]
    crossings: tuple[Crossing, ...]


def transfer(groups: Mapping[str, Sequence[RunFolder]], plan: Plan = USUAL) -> Transfer:
    """The matrix of configurations and of all that every run of them was tested on.

    Args:
        groups: Finished runs of each configuration, over folds and seeds, by name.
        plan: How intervals are made, and how many positives a macro mean asks for.

    Raises:
        InputError: If the runs of a configuration cannot be joined (see `align`).
    """
    cells: list[Cell] = []
    crossings: dict[tuple[str, str, str], Crossing] = {}
    for name, runs in groups.items():
        row, columns = _row(name, runs)
        for part, (place, basis, matches) in columns.items():
            made = compare({row: runs}, on=part, pairs=[], plan=plan)
            (found,) = made.entries
            value = found.metrics["auroc_macro"]
            shape = (part == TEST, made.studies, len(found.findings))
            cells.append(Cell(row, place, basis, *shape, value))
            for one in matches:
                crossing = Crossing(row, place, one["finding"], one["asked"], one["how"])
                crossings[row, place, crossing.finding] = crossing
    return Transfer(tuple(cells), tuple(crossings.values()))


def _row(
    name: str, runs: Sequence[RunFolder]
) -> tuple[str, dict[str, tuple[str, str, Sequence[Mapping[str, Any]]]]]:
    """Name of a row, and for each part that all its runs answered: place, basis and matches."""
    records = [run.load_record() for run in runs]
    first, known = records[0], [{part for part, _, _ in evaluations(r)} for r in records]
    own = f"{first.dataset} {first.labels}"
    columns: dict[str, tuple[str, str, Sequence[Mapping[str, Any]]]] = {TEST: (own, "trained", ())}
    for part, basis, test in evaluations(first):
        place = f"{test['dataset']} {test['labels']}"
        place += " locked" * (test["part"] == "locked")
        place += "".join(f" without {source}" for source in test.get("without", ()))
        again = place == own and not test["external"]  # the test set once more
        if all(part in each for each in known) and not again:
            columns[part] = (place, basis, test["matches"])
    return f"{name} ({own})", columns
