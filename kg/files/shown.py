"""Text of data where people see it: no formula in a table, no escape on a terminal, no markup."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

__all__ = ["cell", "exact", "inline", "of_cell", "plain", "table_text", "visible"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?( \[[+-]?\d+\.?\d*, [+-]?\d+\.?\d*\])?|-"
)
"""A number, also with its interval as tables print it: `-0.088 [-0.121, +0.058]`."""
# control characters but tab and line feed, and those that turn or hide what follows
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_SPECIAL = re.compile(r"([\\`*\[\]|#~]|(?<!\w)_|_(?!\w))")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LEADING = re.compile(r"^(\d*)([-+=.)])(?=\s|[-=])")


def cell(value: object) -> object:
    """A cell of a table that no spreadsheet takes for a formula; a number stays one."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def of_cell(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text[:1] == "'" and cell(text[1:]) == text else text


def table_text(rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    """Rows as a table in a file, cells as `cell` gives them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([_one_end(cell(value)) for value in row] for row in rows)
    return text.getvalue()


def _one_end(value: object) -> object:
    """A cell whose lines end in line feeds alone: a return in it is not quoted."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    return value


def visible(text: str) -> str:
    r"""Text for a terminal: what would command it, or hide a part, is written as `\u001b`."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(text: str) -> str:
    """Text on one line of Markdown in which nothing is markup."""
    return _LEADING.sub(r"\1\\\2", inline(text))


def inline(text: str) -> str:
    """The same where a line has begun already."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).translate(_ENTITIES))


def exact(text: str) -> str:
    """Text between backticks, more of them than the text has in a row."""
    line = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{ticks}{space}{line}{space}{ticks}"
