"""Numbers printed elsewhere that stand beside an entry, and what a reader must know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from experiments.compare.records import Entry, Printed
from experiments.compare.runs import Run
from experiments.config.load import read_file, resolve
from experiments.config.mistakes import check_values
from experiments.config.schema import MARKS, Experiment, Published
from kg.options import Options

__all__ = ["ShippedNumber", "notes_on_printed", "printed_beside", "shipped_numbers"]

SHIPPED = Path(__file__).parent / "published.yaml"


class ShippedNumber(Published):
    """A number printed elsewhere, kept outside the configurations: there it changes their hash.

    Args:
        beside: Shipped configurations it stands beside.
    """

    beside: tuple[str, ...]


class _File(Options):
    numbers: tuple[ShippedNumber, ...]


@cache
def shipped_numbers() -> tuple[ShippedNumber, ...]:
    """Every number that is shipped.

    Raises:
        InputError: With file, line and key, where the file is not as it should be.
    """
    document = read_file(SHIPPED)
    places = {key: f"{SHIPPED}:{line}" for key, line in document.lines.items()}
    return check_values(_File, document.values, places=places).numbers


def printed_beside(run: Run) -> tuple[Printed, ...]:
    """The numbers of a run's configuration, then those shipped for it; none on other data."""
    experiment = run.experiment
    if run.answers.dataset != experiment.data.name:
        return ()
    shipped = [one for one in shipped_numbers() if experiment.name in one.beside]
    # a run of that name may have been set to another task
    if shipped and _task(experiment) != _task(resolve(experiment.name)):
        shipped = []
    return tuple(Printed.of(each) for each in (*experiment.published, *shipped))


def _task(experiment: Experiment) -> tuple[str, str, str]:
    return experiment.data.name, experiment.data.labels, experiment.text.test


def notes_on_printed(entries: Sequence[Entry]) -> Iterator[str]:
    """That numbers printed elsewhere decide nothing and what their marks mean, or that none is."""
    found = {one.mark for entry in entries for one in entry.published}
    if not found:
        yield "no number printed elsewhere is known for any of these configurations"
        return
    marks = "; ".join(f"{mark} = {told}" for mark, told in MARKS.items() if mark in found)
    yield (
        "numbers printed elsewhere were not measured on these studies, are part of no difference "
        f"and must not be compared with ours; their marks: {marks}"
    )
