"""Matrix file: mechanisms by which a graph enters, each a system with arms of its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.config.load import find_file, on_base
from experiments.config.mistakes import check_values
from experiments.plans.schema import PlanFile, SystemRow, shipped_plans
from kg.bounds import Few, Seed
from kg.errors import InputError, did_you_mean
from kg.options import Options

__all__ = ["Endpoint", "MatrixFile", "Mechanism", "read_matrix"]


class Mechanism(Options):
    """A mechanism by which a graph enters: one row of the matrix.

    Args:
        config: Shipped name of a configuration, or a path.
        says: How the graph enters, in one plain sentence.
        name: Name of the row; empty = that of the configuration.
        set: Values laid over the configuration in every arm, by dotted key, after those of the
            matrix and of the setting.
        arms: What each arm changes, by dotted key.
    """

    config: str
    says: str
    name: str = ""
    set: Mapping[str, Any] = {}
    arms: Mapping[str, Mapping[str, Any]]

    @property
    def label(self) -> str:
        """Name of the row."""
        return self.name or Path(self.config).stem


class Endpoint(Options):
    """Primary endpoint of each mechanism: one arm minus another, corrected over all of them.

    Args:
        arm: Arm with the graph, which all other arms are subtracted from.
        minus: Arm of the primary difference.
        setting: Setting of the primary difference.
        mechanisms: Number of mechanisms that are tested together, those not yet run included.
    """

    arm: str
    minus: str
    setting: str
    mechanisms: Few


class MatrixFile(Options):
    """Mechanisms by which a graph enters, each with its arms, under several settings.

    Args:
        name: Name of the matrix.
        about: One line: what it asks.
        endpoint: Primary endpoint, the same for every mechanism.
        mechanisms: Its rows.
        settings: Values laid over every configuration, by name of the setting and dotted key.
        set: Values laid over every configuration under every setting, by dotted key.
        seeds: Seeds of every run; what is drawn of a graph is drawn anew with each.
        folds: Folds of the split; empty = each configuration's own only.
        metric: Compared metric.
        on: Compared predictions, as in a plan.
    """

    name: str
    about: str = ""
    endpoint: Endpoint
    mechanisms: tuple[Mechanism, ...]
    settings: Mapping[str, Mapping[str, Any]]
    set: Mapping[str, Any] = {}
    seeds: tuple[Seed, ...] = (0,)
    folds: tuple[int, ...] = ()
    metric: str = "auroc_macro"
    on: str = "test"

    def only(self, names: Sequence[str]) -> MatrixFile:
        """The matrix with some of its mechanisms; all where none is named.

        Raises:
            InputError: If there is no such mechanism.
        """
        known = [row.label for row in self.mechanisms]
        for name in names:
            if name not in known:
                raise InputError(
                    f"{self.name}: no row is called {name!r}", did_you_mean(name, known)
                )
        kept = tuple(row for row in self.mechanisms if not names or row.label in names)
        return self.model_copy(update={"mechanisms": kept})

    def as_plan(self) -> PlanFile:
        """Its runs as a plan: one row for each mechanism, arm and setting."""
        rows = [
            SystemRow(
                config=row.config,
                name=row_name(row.label, arm, setting),
                set={**under, **row.set, **values},
            )
            for row in self.mechanisms
            for setting, under in self.settings.items()
            for arm, values in row.arms.items()
        ]
        return PlanFile(
            name=self.name,
            about=self.about,
            systems=tuple(rows),
            set=self.set,
            seeds=self.seeds,
            folds=self.folds,
            reference=rows[0].label,
            metric=self.metric,
            on=self.on,
        )


def row_name(mechanism: str, arm: str, setting: str) -> str:
    """Name of the runs of an arm of a mechanism under a setting."""
    return f"{mechanism}, {arm}, {setting}"


def read_matrix(name_or_path: str) -> MatrixFile | None:
    """Read the matrix of a shipped name or a path; None where the file is another plan.

    Raises:
        InputError: If the file is invalid, with file, line, key and the closest valid one.
    """
    known = shipped_plans()
    values, places = on_base(find_file(name_or_path, known, "plan"), known)
    if "mechanisms" not in values:
        return None
    matrix = check_values(MatrixFile, values, places=places)
    end = matrix.endpoint
    _check_named(places["endpoint",], "setting", end.setting, matrix.settings)
    if not (matrix.mechanisms and matrix.seeds):
        missing = "seeds" if matrix.mechanisms else "mechanisms"
        raise InputError(f"{places[missing,]}: {missing}: there are none", "name at least one")
    for place, row in enumerate(matrix.mechanisms):
        for arm in (end.arm, end.minus):
            _check_named(places["mechanisms", str(place)], "arm", arm, row.arms)
    labels = Counter(row.label for row in matrix.mechanisms)
    label, count = labels.most_common(1)[0]
    if count > 1:
        raise InputError(
            f"{places['mechanisms',]}: {count} rows are called {label!r}",
            "give each a name of its own",
        )
    if len(labels) > end.mechanisms:
        raise InputError(
            f"{places['endpoint',]}: endpoint.mechanisms: {end.mechanisms}, but there are "
            f"{len(labels)} rows",
            "name the number that is tested together before anything is run",
        )
    return matrix


def _check_named(where: str, noun: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise InputError(f"{where}: no {noun} is called {name!r}", did_you_mean(name, known))
