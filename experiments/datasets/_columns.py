"""Fast reading of large published tables by columns, as strict as `_tables` by rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from encoders.study import Stated
from experiments.datasets._tables import (
    LABEL_HINT,
    LABEL_VALUES,
    badly_quoted,
    check_header,
    open_table,
    parse_header,
)
from kg.errors import InputError

Value = TypeVar("Value", bound=str)

BLOCK = 2**24
"""Block size of reading in bytes; the longest allowed row."""


class Columns:
    """Chosen columns of a table, their cells stripped.

    Args:
        path: The table, for messages.
        cells: Cells of each column, in the order of the rows.
        numbers: Number of each row as a spreadsheet counts; the header is row 1.
    """

    def __init__(self, path: Path, cells: Mapping[str, list[str]], numbers: Sequence[int]) -> None:
        self.path = path
        self.numbers = numbers
        self._cells = cells

    def __len__(self) -> int:
        return len(self.numbers)

    def __contains__(self, column: str) -> bool:
        return column in self._cells

    def __getitem__(self, column: str) -> list[str]:
        return self._cells[column]

    def get(self, column: str) -> list[str]:
        """Cells of a column, empty ones where the table has no such column."""
        return self._cells.get(column) or [""] * len(self)

    def rows(self, *columns: str) -> Iterator[tuple[str, ...]]:
        """The rows of some columns."""
        return zip(*(self[column] for column in columns), strict=True)

    def firsts(self, column: str) -> dict[str, int]:
        """Index of the first row of each value of a column."""
        rows: dict[str, int] = {}
        for place, name in enumerate(self[column]):
            rows.setdefault(name, place)
        return rows

    def stated(self, labels: Mapping[str, str]) -> list[dict[str, Stated]]:
        """Labels of each row, by concept; a blank states nothing.

        Args:
            labels: Concept of each label column.

        Raises:
            InputError: If a value is none of `LABEL_VALUES`, with its row and column.
        """
        meanings = [self._meaning(column) for column in labels]

        def record(row: tuple[str, ...]) -> dict[str, Stated]:
            values = [meaning[cell] for meaning, cell in zip(meanings, row, strict=True)]
            pairs = zip(labels.values(), values, strict=True)
            return {concept: value for concept, value in pairs if value is not None}

        return _shared(record, zip(*map(self.__getitem__, labels), strict=True))

    def metadata(self, names: Mapping[str, str], **always: str) -> list[dict[str, str]]:
        """Metadata of each row, by name, from the columns that state it.

        Args:
            names: Name of the metadata in each column; a missing column states none.
            always: Metadata of every row.
        """
        keys = tuple(names.values())

        def record(row: tuple[str, ...]) -> dict[str, str]:
            return always | {key: cell for key, cell in zip(keys, row, strict=True) if cell}

        return _shared(record, zip(*map(self.get, names), strict=True))

    def _meaning(self, column: str) -> dict[str, Stated | None]:
        cells = self[column]
        for cell in set(cells):
            if cell.lower() not in LABEL_VALUES:
                row = self.numbers[cells.index(cell)]
                raise InputError(
                    f"{self.path}: row {row}, column {column!r}: {cell!r} is not a label",
                    LABEL_HINT,
                )
        return {cell: LABEL_VALUES[cell.lower()] for cell in set(cells)}


def _shared(
    record: Callable[[tuple[str, ...]], dict[str, Value]], rows: Iterable[tuple[str, ...]]
) -> list[dict[str, Value]]:
    """The record of each row; equal rows share one, since large tables repeat themselves."""
    known: dict[tuple[str, ...], dict[str, Value]] = {}
    found = []
    for row in rows:
        made = known.get(row)
        if made is None:
            made = known[row] = record(row)
        found.append(made)
    return found


def read_columns(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Columns:
    """Columns of a comma-separated UTF-8 table (`.gz` or a `.zip` of one file allowed).

    Args:
        path: The table.
        columns: Columns it must have.
        optional: Columns to read where it has them.

    Raises:
        InputError: If the file is missing or not text, a column is missing or there twice, a row
            has another number of cells than the header, or a quote is not closed.
    """
    import pyarrow
    from pyarrow import compute
    from pyarrow import csv as tables

    with open_table(path) as lines:
        header = parse_header(path, lines.readline())
        check_header(path, header, columns)
        chosen = list(dict.fromkeys([*columns, *(name for name in optional if name in header)]))
        odd: list[tuple[int, int]] = []

        def note(row: Any) -> str:
            odd.append((row.number + 1, row.actual_columns))  # the header was read before
            return "skip"

        try:
            table = tables.read_csv(
                lines,
                read_options=tables.ReadOptions(
                    column_names=header, use_threads=False, block_size=BLOCK
                ),
                parse_options=tables.ParseOptions(
                    newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
                ),
                convert_options=tables.ConvertOptions(
                    column_types=dict.fromkeys(chosen, pyarrow.string()),
                    include_columns=chosen,
                    strings_can_be_null=False,
                ),
            )
        except pyarrow.ArrowInvalid as error:
            if "Empty CSV" not in str(error):
                raise _unreadable(path, error) from None
            table = pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in chosen})
    if odd:
        raise InputError(
            f"{path}: row {odd[0][0]} has {odd[0][1]} cells, the header has {len(header)}",
            f"columns are: {', '.join(header)}; quote cells that hold commas",
        )
    _check_quotes(path)
    cells = {name: compute.utf8_trim_whitespace(table[name]).to_pylist() for name in chosen}
    written = [place for place, row in enumerate(zip(*cells.values(), strict=True)) if any(row)]
    if len(written) < table.num_rows:
        cells = {name: [column[place] for place in written] for name, column in cells.items()}
    return Columns(path, cells, [place + 2 for place in written])


def _check_quotes(path: Path) -> None:
    """Refuse an unclosed quote: pyarrow would read the rest of the table as one cell.

    The number of quotes is then odd, as it hardly ever is otherwise; only such a table is read
    a second time.
    """
    with open_table(path) as lines:
        if not sum(block.count(b'"') for block in iter(partial(lines.read, BLOCK), b"")) % 2:
            return
    row = 0
    with open_table(path) as lines:
        text = TextIOWrapper(lines, encoding="utf-8-sig", newline="")
        try:
            for _ in csv.reader(text, strict=True):
                row += 1
        except csv.Error as error:
            raise badly_quoted(path, row + 1, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    if "UTF8" in str(error):
        return InputError(f"{path}: is not UTF-8 text", "save it as UTF-8")
    return InputError(f"{path}: not a readable table: {error}", "get the file again")
