"""A comparison as text: Markdown, TeX, csv and JSON, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from experiments.compare.long_csv import long_csv
from experiments.compare.records import Comparison
from experiments.compare.tables import Table, about, tables
from kg.errors import InputError

__all__ = ["check_ending", "render"]

USE = "For research use only: not a medical device."


def render(comparison: Comparison, ending: str, *, published: bool = False) -> str:
    """A comparison as the text of a file.

    Args:
        comparison: What to write.
        ending: `.md`, `.tex`, `.csv` or `.json`.
        published: Show numbers printed elsewhere in a column of their own.

    Raises:
        InputError: If there is no such format.
    """
    check_ending(ending)
    return _WRITERS[ending](comparison, published)


def check_ending(ending: str) -> None:
    """Refuse a format before anything is computed.

    Raises:
        InputError: If there is no such format.
    """
    if ending not in _WRITERS:
        raise InputError(
            f"a comparison is not written as {ending or 'a file without an ending'}",
            f"name a file that ends in {', '.join(_WRITERS)}",
        )


def _markdown(comparison: Comparison, published: bool) -> str:
    lines = [f"# {' and '.join(_title(comparison))}", "", about(comparison)]
    for table in tables(comparison, published=published):
        lines += ["", f"## {table.title}", "", *_pipes(table)]
    if comparison.notes:
        lines += ["", "## To know", "", *(f"- {_marked(note)}" for note in comparison.notes)]
    if comparison.ledger:
        lines += ["", "## Uses of the locked part", ""]
        for line in comparison.ledger:
            lines.append(f"- {_marked(', '.join(f'{key} {line[key]}' for key in line))}")
    return "\n".join([*lines, "", USE, ""])


def _title(comparison: Comparison) -> list[str]:
    """What is compared, in short."""
    names = [_marked(entry.name) for entry in comparison.entries]
    return names if len(names) < 3 else [names[0], f"{len(names) - 1} others"]


def _pipes(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(_marked(head) for head in table.columns) + " |"
    yield "|" + "---|" * len(table.columns)
    for row in table.rows:
        yield "| " + " | ".join(_marked(text) for text in row) + " |"


def _marked(text: str) -> str:
    """Text that stands in Markdown as it is."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return plain.replace("|", r"\|").replace("](", r"\](")


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    "±": r"$\pm$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _tex(comparison: Comparison, published: bool) -> str:
    lines = [f"% {_escaped(about(comparison))}"]
    for table in tables(comparison, published=published):
        columns = "l" + "r" * (len(table.columns) - 1)
        lines += ["", f"% {_escaped(table.title)}", rf"\begin{{tabular}}{{{columns}}}", r"\hline"]
        lines += [" & ".join(map(_escaped, table.columns)) + r" \\", r"\hline"]
        lines += [" & ".join(map(_escaped, row)) + r" \\" for row in table.rows]
        lines += [r"\hline", r"\end{tabular}"]
    lines += ["", *(f"% {_escaped(note)}" for note in (*comparison.notes, USE))]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text that stands in TeX as it is."""
    return "".join(_TEX.get(mark, mark) for mark in " ".join(text.split()))


def _json(comparison: Comparison, published: bool) -> str:
    return json.dumps(comparison.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_WRITERS: dict[str, Callable[[Comparison, bool], str]] = {
    ".md": _markdown,
    ".tex": _tex,
    ".csv": long_csv,
    ".json": _json,
}
