"""Published numbers shown with an entry, and notes on their use."""

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
    """Published number, kept outside the configurations, whose hash it would change.

    Args:
        beside: Shipped configurations it is shown with.
    """

    beside: tuple[str, ...]


class _File(Options):
    numbers: tuple[ShippedNumber, ...]


@cache
def shipped_numbers() -> tuple[ShippedNumber, ...]:
    """All shipped numbers.

    Raises:
        InputError: If the file is invalid, with file, line and key.
    """
    document = read_file(SHIPPED)
    places = {key: f"{SHIPPED}:{line}" for key, line in document.lines.items()}
    return check_values(_File, document.values, places=places).numbers


def printed_beside(run: Run) -> tuple[Printed, ...]:
    """Published numbers of a run's configuration, then shipped ones; none on other data."""
    experiment = run.experiment
    if run.predictions.dataset != experiment.data.name:
        return ()
    shipped = [one for one in shipped_numbers() if experiment.name in one.beside]
    # a run of that name may have been set to another task
    if shipped and _task(experiment) != _task(resolve(experiment.name)):
        shipped = []
    return tuple(Printed.of(each) for each in (*experiment.published, *shipped))


def _task(experiment: Experiment) -> tuple[str, str, str]:
    return experiment.data.name, experiment.data.labels, experiment.text.test


def notes_on_printed(entries: Sequence[Entry]) -> Iterator[str]:
    """Note on published numbers and their marks, or that there are none."""
    used = {one.mark for entry in entries for one in entry.published}
    if not used:
        yield "no published numbers are known for any of these configurations"
        return
    marks = "; ".join(f"{mark} = {meaning}" for mark, meaning in MARKS.items() if mark in used)
    yield (
        "published numbers were not measured on these studies, enter no difference and are not "
        f"comparable with ours; their marks: {marks}"
    )
