"""Plan file: systems, the folds and seeds they are run with, and what they are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from experiments.config.document import KeyPath
from experiments.config.load import find_file, on_base
from experiments.config.mistakes import Places, check_values
from kg.errors import InputError, did_you_mean
from kg.options import Options

__all__ = ["Ensemble", "PlanFile", "SystemRow", "read_plan", "shipped_plans"]

SHIPPED = Path(__file__).parent / "shipped"


class SystemRow(Options):
    """A system of a plan: one row of its table.

    Args:
        config: Shipped name of a configuration, or a path.
        name: Name of the row; empty = that of the configuration.
        set: Values laid over the configuration, by dotted key, after those of the plan.
        seeds: Seeds; empty = those of the plan. One is enough where nothing is drawn.
    """

    config: str
    name: str = ""
    set: Mapping[str, Any] = {}
    seeds: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """Name of the row."""
        return self.name or Path(self.config).stem


class Ensemble(Options):
    """Rows of a plan as one further row, without runs of its own.

    It predicts the mean of the log-odds of all their runs, over seeds too.

    Args:
        name: Name of the row.
        of: Names of the rows it joins; one = its seeds.
    """

    name: str = Field(min_length=1)
    of: tuple[str, ...] = Field(min_length=1)


def _named(value: object) -> object:
    return {"config": value} if isinstance(value, str) else value


class PlanFile(Options):
    """Many configurations over folds and seeds.

    Args:
        name: Name of the plan.
        about: One line: what it asks.
        systems: Its rows: names of configurations, or keys of `SystemRow`.
        ensembles: Further rows that join some of these.
        set: Values laid over every configuration, by dotted key. Runs that a system starts from
            are those of their own configuration.
        seeds: Seeds of every system.
        folds: Folds of the split; empty = each configuration's own only.
        reference: Row that all others are compared with.
        time_reference: Row whose training time is 1; empty = the reference.
        metric: Compared metric.
        on: Compared predictions: `test`, `zero_shot`, or other data the runs were tested on.
        tune: Number of settings drawn for each system from one space and chosen on the
            validation studies of the first fold; 0 = none.
    """

    name: str
    about: str = ""
    systems: tuple[Annotated[SystemRow, BeforeValidator(_named)], ...]
    ensembles: tuple[Ensemble, ...] = ()
    set: Mapping[str, Any] = {}
    seeds: tuple[int, ...] = (0,)
    folds: tuple[int, ...] = ()
    reference: str
    time_reference: str = ""
    metric: str = "auroc_macro"
    on: str = "test"
    tune: int = Field(default=0, ge=0, le=100)


def read_plan(name_or_path: str) -> PlanFile:
    """Read the plan of a shipped name or a path, merged over the plan its key `base` names.

    Raises:
        InputError: If the file is invalid, with file, line, key and the closest valid one.
    """
    known = shipped_plans()
    values, places = on_base(find_file(name_or_path, known, "plan"), known)
    plan = check_values(PlanFile, values, places=places)
    _check_names(plan, places)
    for place, row in enumerate(plan.systems):
        if not (row.seeds or plan.seeds):
            raise InputError(f"{places['systems', str(place)]}: no seeds", "name one: seeds: [0]")
    return plan


def _check_names(plan: PlanFile, places: Places) -> None:
    """Raise for two rows of one name, and for names of rows that are not there."""
    labels = [row.label for row in plan.systems]
    keys = [("systems", str(place)) for place in range(len(labels))]
    ensembles = [("ensembles", str(place)) for place in range(len(plan.ensembles))]
    called = [*labels, *(one.name for one in plan.ensembles)]
    for label, count in Counter(called).items():
        if count > 1:
            where = places[[*keys, *ensembles][called.index(label)]]
            raise InputError(
                f"{where}: {count} rows are called {label!r}", "give each a name of its own"
            )
    named: list[tuple[KeyPath, str]] = [
        (("reference",), plan.reference),
        (("time_reference",), plan.time_reference or plan.reference),
        *(
            (key, label)
            for key, one in zip(ensembles, plan.ensembles, strict=True)
            for label in one.of
        ),
    ]
    for key, label in named:
        if label not in labels:
            raise InputError(
                f"{places[key]}: {key[0]}: no row is called {label!r}", did_you_mean(label, labels)
            )
    for key, one in zip(ensembles, plan.ensembles, strict=True):
        if len(set(one.of)) < len(one.of):
            raise InputError(f"{places[key]}: {one.name} joins a row twice", "name each once")


def shipped_plans() -> dict[str, Path]:
    """Shipped plans by name, sorted."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
