"""Reading published tables strictly: columns checked, rows numbered, label values by policy."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from encoders.study import Stated
from kg.errors import InputError

LABEL_VALUES: dict[str, Stated | None] = {
    "1": "present",
    "1.0": "present",
    "0": "absent",
    "0.0": "absent",
    "-1": "uncertain",
    "-1.0": "uncertain",
    "": None,
    "nan": None,
}
"""The only values a label column may have; None = not stated."""


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        number: Row as a spreadsheet counts; the header is row 1.
        cells: Value of each column, stripped.
        file: The table's path, for messages.
    """

    number: int
    cells: dict[str, str]
    file: Path

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def get(self, column: str) -> str:
        """Value of a column, empty where the table has no such column."""
        return self.cells.get(column, "")

    def label(self, column: str) -> Stated | None:
        """What a label column states; None = not stated.

        Raises:
            InputError: If the value is none of `LABEL_VALUES`.
        """
        value = self.cells[column]
        if value.lower() not in LABEL_VALUES:
            raise InputError(
                f"{self.file}: row {self.number}, column {column!r}: {value!r} is not a label",
                "write 1 (present), 0 (absent), -1 (uncertain) or leave it empty (not stated)",
            )
        return LABEL_VALUES[value.lower()]


def read_table(
    path: Path, columns: Sequence[str] = (), *, encodings: Sequence[str] = ("utf-8-sig",)
) -> list[Row]:
    """Rows of a comma-separated table (`.gz` allowed, a byte-order mark is skipped).

    Args:
        path: The table.
        columns: Columns it must have; others are kept.
        encodings: Encodings to try, in order.

    Raises:
        InputError: If the file is missing or not text, or a column is missing or there twice, or
            a row has another number of cells than the header.
    """
    table = csv.reader(io.StringIO(_text(path, encodings), newline=""))
    try:
        header = [name.strip() for name in next(table, [])]
        _check_header(path, header, columns)
        rows = []
        for number, cells in enumerate(table, start=2):
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {number} has {len(cells)} cells, the header has {len(header)}",
                    f"columns are: {', '.join(header)}; quote cells that hold commas",
                )
            rows.append(Row(number, dict(zip(header, map(str.strip, cells), strict=True)), path))
    except csv.Error as error:
        raise InputError(f"{path}: not a readable table: {error}", "write it as CSV") from None
    return rows


def read_header(path: Path) -> list[str]:
    """Column names of a comma-separated table, stripped; characters that are not UTF-8 replaced.

    Raises:
        InputError: If the file cannot be read.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            first = lines.readline().decode("utf-8-sig", errors="replace")
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "get the file again") from None
    return [name.strip() for name in next(csv.reader([first]), [])]


def unique(rows: Iterable[Row], column: str) -> dict[str, Row]:
    """Rows by the value of a column that may name each thing only once.

    Raises:
        InputError: If a value is empty or there twice.
    """
    found: dict[str, Row] = {}
    for row in rows:
        key = row[column]
        if not key:
            raise InputError(f"{row.file}: row {row.number}: {column!r} is empty", "fill it in")
        if key in found:
            raise InputError(
                f"{row.file}: {column!r} {key!r} is in rows {found[key].number} and {row.number}",
                "keep one of the two rows",
            )
        found[key] = row
    return found


def _text(path: Path, encodings: Sequence[str]) -> str:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found", "run `kgdx data check` to see its giver") from None
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "get the file again") from None
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{path}: is not {' or '.join(encodings)} text", "save it as UTF-8")


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    listed = ", ".join(header) or "(none)"
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} is there twice", f"columns are: {listed}")
    missing = [name for name in columns if name not in header]
    if missing and len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise InputError(f"{path}: is not separated by commas", f"its first line is: {listed}")
    if missing:
        raise InputError(
            f"{path}: missing column(s) {', '.join(missing)}", f"columns are: {listed}"
        )
