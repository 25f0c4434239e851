"""File of a user's studies: a csv, or a sheet of an Excel workbook, read as rows of text."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.datasets._own_rows import SECTION_COLUMNS
from experiments.datasets._tables import Row, check_header, read_header, read_table, separator_of
from kg.errors import InputError, did_you_mean
from kg.files.regular import open_file

__all__ = ["OwnFile", "find_own_file"]

WORKBOOK = ".xlsx"
LARGEST = 1 << 28
"""Largest unpacked size of a workbook, in bytes."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class OwnFile:
    """A file of studies.

    Args:
        path: The file.
        separator: Separator of the cells of a csv.
        sheet: Sheet of a workbook; empty = a csv.
    """

    path: Path
    separator: str = ","
    sheet: str = ""

    @property
    def words(self) -> str:
        """How it is read."""
        if self.sheet:
            return f"sheet {self.sheet!r}"
        return f"separated by {SEPARATORS[self.separator]}"

    def rows(self, ignore: Sequence[str] = ()) -> list[Row]:
        """Its rows, without the columns to ignore.

        Raises:
            InputError: If it cannot be read, has no column `study`, or lacks an ignored one.
        """
        if self.sheet:
            rows = list(_sheet_rows(self.path, self.sheet))
        else:
            rows = read_table(self.path, ("study",), separator=self.separator)
        if not rows:
            raise InputError(f"{self.path}: has no rows", "write one row for each study")
        for name in ignore:
            if name not in rows[0].cells:
                hint = did_you_mean(name, rows[0].cells)
                raise InputError(f"{self.path}: there is no column {name!r} to ignore", hint)
        return [row.without(ignore) for row in rows]


def find_own_file(root: Path, named: Path | None, sheet: str) -> OwnFile:
    """The file of studies under a root.

    Args:
        root: The root.
        named: The file, where the user names it.
        sheet: Sheet of a workbook; empty = the only one that holds studies.

    Raises:
        InputError: If there is none, or more than one and none is named.
    """
    if root.is_file():
        raise InputError(f"{root}: is a file", "name the folder it is in")
    found = [named] if named is not None else _candidates(root)
    if len(found) > 1:
        found = [path for path in found if _holds_studies(path)]
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise InputError(
            f"{root}: there must be one table of studies (.csv or .xlsx), found: {listed}",
            "keep one, or name it: --set file=NAME (data.options.file in a configuration)",
        )
    (path,) = found
    if path.suffix.lower() == WORKBOOK:
        return OwnFile(path, sheet=_sheet(path, sheet))
    if sheet:
        raise InputError(f"{path}: is no workbook, and has no sheets", "leave out --sheet")
    return OwnFile(path, separator_of(path))


def _candidates(root: Path) -> list[Path]:
    """Tables under a root, without the lock files of spreadsheets."""
    found = [*root.glob("*.csv"), *root.glob(f"*{WORKBOOK}")]
    return sorted(path for path in found if not path.name.startswith(("~$", ".")))


def _holds_studies(path: Path) -> bool:
    """True if a table holds studies with images or text, unlike one of predictions."""
    if path.suffix.lower() == WORKBOOK:
        with _book(path) as book:
            return any(map(_names_studies, _headers(book).values()))
    return _names_studies(read_header(path, separator_of(path)))


def _names_studies(header: Sequence[str]) -> bool:
    known = {"image", "report", "dialogue", *SECTION_COLUMNS}
    return "study" in header and bool(known & set(header))


def _sheet(path: Path, named: str) -> str:
    """The named sheet, or the only one that holds studies."""
    with _book(path) as book:
        headers = _headers(book)
    if named:
        if named not in headers:
            raise InputError(f"{path}: has no sheet {named!r}", did_you_mean(named, headers))
        return named
    fits = [name for name, header in headers.items() if "study" in header]
    if len(fits) != 1:
        which = "none has" if not fits else f"{len(fits)} have"
        raise InputError(
            f"{path}: {which} a column 'study' of its sheets: {', '.join(headers)}",
            "name the sheet with --sheet NAME (data.options.sheet in a configuration)",
        )
    return fits[0]


@contextmanager
def _book(path: Path) -> Iterator[Any]:
    """A workbook, opened to be read row by row."""
    import openpyxl

    try:
        with open_file(path) as file:
            with zipfile.ZipFile(file) as archive:
                size = sum(one.file_size for one in archive.infolist())
            if size > LARGEST:
                raise InputError(
                    f"{path}: unpacks to more than {LARGEST >> 20} MiB", "save it as a csv"
                )
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"{path}: is no readable workbook: {error}", "save it as a csv") from None


def _headers(book: Any) -> dict[str, list[str]]:
    """First row of each sheet that has cells."""
    return {
        sheet.title: _header(next(sheet.iter_rows(values_only=True), ()))
        for sheet in book.worksheets
    }


def _header(cells: Sequence[object]) -> list[str]:
    """Names of the columns, without the empty ones behind the last."""
    names = [_text(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _sheet_rows(path: Path, sheet: str) -> Iterator[Row]:
    with _book(path) as book:
        table = book[sheet].iter_rows(values_only=True)
        header = _header(next(table, ()))
        check_header(path, header, ("study",))
        for number, cells in enumerate(table, start=2):
            texts = [_text(cell) for cell in cells]
            if not any(texts):
                continue
            if any(texts[len(header) :]):
                raise InputError(
                    f"{path}: row {number} has cells behind the last column that has a name",
                    f"name their column, or clear them; columns are: {', '.join(header)}",
                )
            texts += [""] * (len(header) - len(texts))
            yield Row(number, dict(zip(header, texts[: len(header)], strict=True)), path)


def _text(cell: object) -> str:
    """A cell as a csv has it: whole numbers without a point, dates as the calendar writes them."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return str(cell).strip()
