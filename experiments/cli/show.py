"""Printing: results to stdout, notes and errors to stderr, as text, tables or JSON."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kg.errors import KgdxError
from kg.files.shown import cell, visible

__all__ = ["bug", "flush", "json_result", "note", "problem", "result", "table", "to_file"]

Row = Sequence[object]


def result(text: str) -> None:
    """Print a result."""
    print(visible(text))


def json_result(value: Any) -> None:
    """Print a result as JSON; NaN and infinite numbers are null."""
    print(visible(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str)))


def note(text: str) -> None:
    """Print a message to stderr."""
    print(visible(text), file=sys.stderr)


def table(columns: Sequence[str], rows: Iterable[Row], *, title: str = "") -> None:
    """Print a table: aligned on a terminal, tab-separated with a header line elsewhere."""
    cells = [[visible(_cell(value)) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for line in (list(columns), *cells):
            print("\t".join(str(cell(_one_line(text))) for text in line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for line in cells:
        drawn.add_row(*(Text(text) for text in line))
    Console(highlight=False).print(drawn)


def to_file(path: Path, text: str | Iterable[str]) -> None:
    """Write a result, whole or in parts, to a file atomically, and note it."""
    from experiments.records.atomic import write_text

    write_text(path, text)
    note(f"written to {path}")


def problem(error: KgdxError, *, verbose: bool) -> None:
    """Print an error of the user's: message, indented hint, and the traceback if verbose."""
    if verbose:
        note("".join(traceback.format_exception(error)).rstrip())
    note(f"error: {error}")


def bug(error: BaseException, *, verbose: bool) -> None:
    """Print an unexpected error, with a request to report it."""
    if verbose:
        note("".join(traceback.format_exception(error)).rstrip())
    note(f"a bug in kgdx: {type(error).__name__}: {error}")
    hint = "please report it" if verbose else "run it again with -v and please report it"
    note(f"    {hint} with the lines above, without patient data")


def flush() -> bool:
    """Flush stdout; False where the pipe was closed at the other end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, sys.stdout.fileno())
        return False
    return True


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if value == value else "-"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
