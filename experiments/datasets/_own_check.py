"""Check of a user's table: everything that is wrong with it at once, each with its mend."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from experiments.datasets._layout import Remark
from experiments.datasets._own_file import OwnFile
from experiments.datasets._own_rows import (
    COLUMNS,
    IGNORED,
    Places,
    concepts_of,
    dialogue_of,
    images_of,
    patient_of,
    report_of,
)
from experiments.datasets._own_size import remarks_on_size
from experiments.datasets._tables import LABEL_VALUES, Row, unique
from kg.errors import InputError

__all__ = ["remarks_on"]

DATE = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?([ T].*)?|\d\d?[-./]\d\d?[-./](\d\d)?\d\d([ T].*)?")
MOST = 5
"""Rows that are named of each mistake."""


def remarks_on(file: OwnFile, places: Places, ignore: Sequence[str]) -> Iterator[Remark]:
    """Remarks on a table of studies, wrong ones and warnings.

    Args:
        file: The table.
        places: Where the files it names may lie.
        ignore: Columns to leave out.
    """
    yield Remark(file.path.name, "found", file.words)
    try:
        rows = file.rows(ignore)
    except InputError as error:
        yield _wrong(file.path.name, error)
        return
    concepts, mistakes = concepts_of(rows)
    yield from _column_remarks(rows, concepts, mistakes)
    yield from _row_remarks(rows, places, concepts)
    labels = {one: [LABEL_VALUES.get(row[one].lower()) for row in rows] for one in concepts}
    yield from remarks_on_size([patient_of(row) for row in rows], labels)


def _column_remarks(
    rows: Sequence[Row], concepts: Collection[str], mistakes: Mapping[str, InputError]
) -> Iterator[Remark]:
    """Columns that are missing, that name no finding, or that hold dates."""
    for column, error in mistakes.items():
        cells = [row[column] for row in rows if row[column]]
        told = error.message.removeprefix(f"{rows[0].file}: ")
        what, mend = told.removeprefix(f"column {column!r}: "), error.hint
        if cells and all(map(DATE.fullmatch, cells)):
            what = "holds dates, which are no finding"
            mend = f"leave it out with --ignore {shlex.quote(column)} ({IGNORED})"
        yield Remark(f"column {column!r}", "wrong", what, mend)
    if "patient" not in rows[0].cells:
        yield Remark(
            *("column 'patient'", "warning", "not there: every study counts as its own patient"),
            "add the column; else one person may be in training and in test",
        )
    if not concepts:
        known = ", ".join(COLUMNS)
        yield Remark(
            *("columns", "wrong", "no column is a finding"),
            f"add a column for each finding, by its name; the other columns are: {known}",
        )


def _row_remarks(
    rows: Sequence[Row], places: Places, concepts: Collection[str]
) -> Iterator[Remark]:
    """Mistakes of the rows, those of one kind together."""
    mistakes = [*_tried(partial(unique, rows, "study"))]
    for row in rows:
        for column in concepts:
            mistakes += _tried(partial(row.label, column))
        mistakes += _tried(partial(_not_empty, places, row))
        mistakes += _tried(partial(list, report_of(places, row)))
        mistakes += _tried(partial(list, dialogue_of(places, row)))
    for _, alike in groupby(sorted(mistakes, key=_kind), key=_kind):
        first, *others = alike
        more = [told for one in others if (told := re.search(r"row \d+", one.message))]
        named = ", ".join(one[0] for one in more[:MOST])
        also = f"; also {named}" + (f" and {len(others) - MOST} more" if len(more) > MOST else "")
        yield _wrong("rows", first, also if others else "")


def _not_empty(places: Places, row: Row) -> None:
    """Refuse an image file without a byte."""
    for image in images_of(places, row):
        path = places.root / image.path
        if path.is_file() and not path.stat().st_size:
            raise InputError(
                f"{row.file}: row {row.number}, column 'image': {image.path!r} is empty",
                "export the image again, or remove it from the table",
            )


def _tried(read: Callable[[], object]) -> Iterator[InputError]:
    try:
        read()
    except InputError as error:
        yield error


def _kind(error: InputError) -> str:
    """An error without what differs between rows."""
    return re.sub(r"row \d+|: '[^']*'|\d+", "", error.message) + error.hint.partition(";")[0]


def _wrong(where: str, error: InputError, also: str = "") -> Remark:
    return Remark(where, "wrong", _without_folder(error.message) + also, error.hint)


def _without_folder(message: str) -> str:
    """A message that begins with a path, with the name of the file alone."""
    path, colon, rest = message.partition(": ")
    return f"{Path(path).name}{colon}{rest}"
