"""Strict reading of published tables: columns checked, rows numbered, label values by policy."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from encoders.study import Stated
from kg.errors import InputError
from kg.files.regular import open_file

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

LABEL_HINT = "write 1 (present), 0 (absent), -1 (uncertain) or leave it empty (not stated)"

LARGEST = 2 * 2**30
"""Largest unpacked size of a table, in bytes."""


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

    def without(self, columns: Sequence[str]) -> Row:
        """The row without some columns."""
        kept = {name: cell for name, cell in self.cells.items() if name not in columns}
        return Row(self.number, kept, self.file)

    def label(self, column: str) -> Stated | None:
        """Value of a label column; None = not stated.

        Raises:
            InputError: If the value is none of `LABEL_VALUES`.
        """
        value = self.cells[column]
        if value.lower() not in LABEL_VALUES:
            raise InputError(
                f"{self.file}: row {self.number}, column {column!r}: {value!r} is not a label",
                LABEL_HINT,
            )
        return LABEL_VALUES[value.lower()]


def read_table(
    path: Path,
    columns: Sequence[str] = (),
    *,
    encodings: Sequence[str] = ("utf-8-sig",),
    separator: str = ",",
) -> list[Row]:
    """Rows of a separated table (`.gz` and `.zip` allowed, a byte-order mark is skipped).

    Args:
        path: The table.
        columns: Columns it must have; others are kept.
        encodings: Encodings to try, in order.
        separator: Separator of the cells.

    Raises:
        InputError: If the file is missing or not text, a column is missing or there twice, a row
            has another number of cells than the header, or a quote is not closed.
    """
    lines = io.StringIO(_text(path, encodings), newline="")
    return list(_rows(path, lines, columns, separator))


def stream_table(path: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a table in UTF-8 as `read_table` has them, one at a time, for tables of any length.

    Raises:
        InputError: As `read_table`, once the row is reached.
    """
    with open_table(path) as raw:
        yield from _rows(path, _lines(path, raw), columns)


def _lines(path: Path, raw: IO[bytes]) -> Iterator[str]:
    """Lines of UTF-8 text, `LARGEST` characters at most."""
    text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    left = LARGEST
    try:
        while line := text.readline(left):
            yield line
            left -= len(line)
            if left <= 0:
                raise too_large(path)
    except UnicodeDecodeError:
        raise not_encoded(path, ("utf-8-sig",)) from None


def _rows(
    path: Path, lines: Iterable[str], columns: Sequence[str], separator: str = ","
) -> Iterator[Row]:
    table = csv.reader(lines, strict=True, delimiter=separator)
    number = 0
    try:
        header = [name.strip() for name in next(table, [])]
        check_header(path, header, columns)
        number = 1
        for number, cells in enumerate(table, start=2):
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {number} has {len(cells)} cells, the header has {len(header)}",
                    f"columns are: {', '.join(header)}; quote cells that hold commas",
                )
            yield Row(number, dict(zip(header, map(str.strip, cells), strict=True)), path)
    except csv.Error as error:
        raise badly_quoted(path, number + 1, error) from None


def badly_quoted(path: Path, row: int, error: csv.Error) -> InputError:
    """Error for a table with a quote that is not closed or stands inside a cell."""
    return InputError(
        f"{path}: row {row} or after it: not a readable table: {error}",
        'close the quote; inside quotes write "" for one',
    )


def read_lines(path: Path) -> list[str]:
    """Lines of a list file, stripped, empty ones left out.

    Raises:
        InputError: If the file is missing or not text.
    """
    return [line.strip() for line in _text(path, ("utf-8-sig",)).splitlines() if line.strip()]


def read_header(path: Path, separator: str = ",") -> list[str]:
    """Column names of a separated table, stripped; characters that are not UTF-8 replaced.

    Raises:
        InputError: If the file cannot be read.
    """
    with open_table(path) as lines:
        return parse_header(path, lines.readline(), separator)


def separator_of(path: Path) -> str:
    """Separator of a table: a comma, else a semicolon or tab of which its first line has some.

    Raises:
        InputError: If the file cannot be read.
    """
    header = read_header(path)
    only = header[0] if len(header) == 1 else ""
    return next((mark for mark in (";", "\t") if mark in only), ",")


def parse_header(path: Path, first: bytes, separator: str = ",") -> list[str]:
    """Column names in the first line of a table; lines may end in returns alone.

    Raises:
        InputError: If it cannot be cut into names.
    """
    text = io.StringIO(first.decode("utf-8-sig", errors="replace"), newline="")
    try:
        return [name.strip() for name in next(csv.reader(text, delimiter=separator), [])]
    except csv.Error as error:
        raise badly_quoted(path, 1, error) from None


@contextmanager
def open_table(path: Path) -> Iterator[IO[bytes]]:
    """A table's bytes, unpacked: plain, `.gz`, or a `.zip` that holds it alone.

    Raises:
        InputError: If the file is missing, damaged, larger than `LARGEST` or no such archive.
    """
    if not path.exists():
        raise InputError(f"{path}: not found", "run `kgdx data check` to see its giver")
    try:
        with open_file(path) as file:
            if path.suffix == ".zip":
                with zipfile.ZipFile(file) as archive, archive.open(_only(path, archive)) as lines:
                    yield lines
            else:
                packed = path.suffix == ".gz"
                yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read: {error}", "get the file again") from None


def _only(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [member for member in archive.infolist() if not member.is_dir()]
    if len(files) != 1 or files[0].file_size > LARGEST:
        raise InputError(
            f"{path}: holds {len(files)} files, not one table of at most {LARGEST >> 30} GiB",
            "unpack it and keep the table",
        )
    return files[0]


def unique(rows: Iterable[Row], column: str) -> dict[str, Row]:
    """Rows by the value of a column whose values are unique.

    Raises:
        InputError: If a value is empty, or with all values that are in several rows.
    """
    return {row[column]: row for row in each_once(rows, column)}


def each_once(rows: Iterable[Row], column: str) -> Iterator[Row]:
    """Rows whose values of a column are unique, one at a time.

    Raises:
        InputError: If a value is empty, or with all values that are in several rows, once the
            last row is reached.
    """
    numbers: dict[str, int] = {}
    repeated: dict[str, list[int]] = {}
    for row in rows:
        key = row[column]
        if not key:
            raise InputError(f"{row.file}: row {row.number}: {column!r} is empty", "fill it in")
        if key in numbers:
            repeated.setdefault(key, [numbers[key]]).append(row.number)
            continue
        numbers[key] = row.number
        if not repeated:  # an error is certain: the rest is only looked through for its list
            yield row
    if repeated:
        listed = "; ".join(
            f"{key!r} is in rows {' and '.join(map(str, some))}" for key, some in repeated.items()
        )
        raise InputError(f"{row.file}: {column!r} must differ: {listed}", "keep one row of each")


def _text(path: Path, encodings: Sequence[str]) -> str:
    with open_table(path) as lines:
        raw = lines.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise too_large(path)
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise not_encoded(path, encodings)


def too_large(path: Path) -> InputError:
    """Error for a table of more than `LARGEST`."""
    return InputError(f"{path}: unpacks to more than {LARGEST >> 30} GiB", "get the file again")


def not_encoded(path: Path, encodings: Sequence[str]) -> InputError:
    """Error for a table in none of some encodings."""
    names = " or ".join(encodings).replace("utf-8-sig", "UTF-8")
    return InputError(f"{path}: is not {names} text", "save it as UTF-8")


def check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    """Refuse a header that lacks a column, has one twice or is not separated by commas.

    Raises:
        InputError: Naming the column and all there are.
    """
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
