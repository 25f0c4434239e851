"""Reading of tables and YAML files of facts, with the line of each row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.files.json_text import json_of
from kg.files.regular import bytes_of

LARGEST = 4 << 30
"""Largest unpacked size of a compressed table, in bytes."""

LARGEST_YAML = 1_000_000
"""Characters of a YAML file, which takes some seconds then."""

DEEPEST_YAML = 20
"""Levels of a YAML file."""

PARALLEL = " || "
"""Separates parallel sources, evidence tags, weights and counts."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its cells by column name, and its place."""

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
    with opened(path) as handle:
        rows = cells_of(handle, path.name, delimiter="\t")
        _, header = next(rows, (1, []))
        missing = [column for column in columns if column not in header]
        if missing:
            raise InputError(
                f"{path.name}, line 1: no column {', '.join(missing)}", f"it has {header}"
            )
        for line, cells in rows:
            where = f"{path.name}, line {line}"
            if len(cells) != len(header):
                raise InputError(
                    f"{where}: {len(cells)} cells under {len(header)} columns",
                    "separate cells by one tab",
                )
            yield Row(dict(zip(header, cells, strict=True)), where)


def cells_of(
    lines: Iterable[str], name: str, *, delimiter: str = ",", quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Rows of a table, each with the number of its last line.

    Args:
        lines: The lines.
        name: Name of the file, for messages.
        delimiter: Separates cells.
        quoted: Whether quotes around a cell are no part of it.

    Raises:
        InputError: If a row cannot be cut into cells, or is not UTF-8; names the line.
    """
    reader = csv.reader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    )
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        where = f"{name}, line {reader.line_num}"
        raise InputError(f"{where}: is no row of a table ({error})", "mend its quotes") from None
    except UnicodeDecodeError:
        where = f"{name}, line {reader.line_num + 1} or later"
        raise InputError(f"{where}: is not UTF-8", "save it as UTF-8") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty, without spaces around them.

    Raises:
        InputError: If the file is missing or is not UTF-8.
    """
    with opened(path) as handle:
        return [line.strip() for line in handle if line.strip()]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: If the file is missing or is not JSON; names the line.
    """
    with opened(path) as handle:
        return parsed_json(handle.read(), path.name)


def parsed_json(text: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Raises:
        InputError: If it is not JSON, or nested too deeply.
    """
    try:
        return json_of(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}, line {error.lineno}: {error.msg}", "correct the JSON") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}", "correct the JSON") from None


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, by the safe loader.

    Raises:
        InputError: If the file is missing, too long or not YAML, holds an alias or a tag, or is
            nested too deeply; names the line.
    """
    import yaml

    with opened(path) as handle:
        text = handle.read()
    if len(text) > LARGEST_YAML:
        raise InputError(f"{path.name}: {len(text):,} characters long", "split it")
    try:
        _check_events(yaml.parse(text, Loader=yaml.SafeLoader), path.name)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(f"{path.name}{line}: {error.problem}", "correct the YAML") from None
    except (yaml.YAMLError, ValueError) as error:  # a character, or a date there is not
        said = str(error).splitlines()[0]
        raise InputError(f"{path.name}: {said}", "correct the YAML") from None


def _check_events(events: Iterable[Any], name: str) -> None:
    """Refuse tags, which their values need not fit, aliases, and nesting without end.

    Raises:
        InputError: If there is such a thing; names the line.
    """
    import yaml

    depth = 0
    for event in events:
        where = f"{name}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f"{where}: the alias *{event.anchor}", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise InputError(f"{where}: the tag {event.tag!r}", "leave the tag out: plain values")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_YAML:
            raise InputError(f"{where}: nested deeper than {DEEPEST_YAML}", "use fewer levels")


def opened(path: Path) -> io.StringIO:
    """The text of a file, or of a .gz of it.

    Raises:
        InputError: If the file is missing, is a folder, or is not UTF-8.
    """
    try:
        # Decoded at once, so that a file that is not text is refused here and nowhere later.
        raw = bytes_of(path)
        text = (_unzipped(raw, path) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder", "name a file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path and its rights") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path.name}, line {line}: is not UTF-8", "save it as UTF-8") from None
    return io.StringIO(text, newline="")


def _unzipped(raw: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            text = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: is no whole .gz ({error})", "copy it again") from None
    if len(text) > LARGEST:
        raise InputError(f"{path.name}: unpacks to more than {LARGEST >> 30} GiB", "split it")
    return text
