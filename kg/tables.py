"""Tables and YAML files of facts, read with the line each row stands on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.errors import InputError

PARALLEL = " || "
"""Separates parallel sources, evidence tags, weights and counts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its cells by column name and where it stands."""

    cells: dict[str, str]
    where: str

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def parallel(self, column: str) -> list[str]:
        """The parallel values of a cell; an empty cell is one empty value."""
        return [value.strip() for value in self.cells[column].split(PARALLEL.rstrip())]

    def listed(self, column: str) -> tuple[str, ...]:
        """The list items (`|`) of a cell."""
        return tuple(item for item in self.cells[column].split("|") if item)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a tab-separated table with a header.

    Raises:
        InputError: If the file is missing, is not UTF-8, lacks a column, or a row has too few
            or too many cells.
    """
    with _open(path) as handle:
        reader = csv.reader(handle, delimiter="\t")
        header = next(reader, [])
        missing = [column for column in columns if column not in header]
        if missing:
            raise InputError(
                f"{path.name}, line 1: no column {', '.join(missing)}", f"it has {header}"
            )
        for cells in reader:
            where = f"{path.name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise InputError(
                    f"{where}: {len(cells)} cells under {len(header)} columns",
                    "separate cells by one tab",
                )
            yield Row(dict(zip(header, cells, strict=True)), where)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty, without spaces around them.

    Raises:
        InputError: If the file is missing or is not UTF-8.
    """
    with _open(path) as handle:
        return [line.strip() for line in handle if line.strip()]


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, by the safe loader.

    Raises:
        InputError: If the file is missing or is not YAML; names the line.
    """
    import yaml

    with _open(path) as handle:
        try:
            return yaml.safe_load(handle)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = f", line {mark.line + 1}" if mark is not None else ""
            raise InputError(f"{path.name}{line}: {error.problem}", "mend the YAML") from None


def _open(path: Path) -> io.StringIO:
    try:
        # Decoded at once, so that a file that is not text is refused here and nowhere later.
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder", "name a file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path.name}, line {line}: is not UTF-8", "save it as UTF-8") from None
    return io.StringIO(text, newline="")
