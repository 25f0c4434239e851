"""Writers of a comparison: HTML, Markdown, TeX, csv and JSON, reproducible byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable

from experiments.compare.long_csv import long_csv
from experiments.compare.records import Comparison
from experiments.compare.tables import about, tables
from kg.errors import check_format

__all__ = ["check_ending", "render"]

USE = "For research use only: not a medical device."


def render(comparison: Comparison, ending: str) -> str:
    """A comparison as the text of a file.

    Args:
        comparison: The comparison.
        ending: `.html`, `.md`, `.tex`, `.csv` or `.json`.

    Raises:
        InputError: If there is no such format.
    """
    check_ending(ending)
    return _WRITERS[ending](comparison)


def check_ending(ending: str) -> None:
    """Raise for an unknown format before anything is computed.

    Raises:
        InputError: If there is no such format.
    """
    check_format("a comparison", ending, _WRITERS)


def _html(comparison: Comparison) -> str:
    from experiments.reports.comparison_page import render_comparison_page

    return render_comparison_page(comparison)


def _markdown(comparison: Comparison) -> str:
    from experiments.reports.comparison_page import render_comparison_markdown

    return render_comparison_markdown(comparison)


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    "±": r"$\pm$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def _tex(comparison: Comparison) -> str:
    lines = [f"% {_escaped(about(comparison))}"]
    for table in tables(comparison):
        columns = "l" + "r" * (len(table.columns) - 1)
        lines += ["", f"% {_escaped(table.title)}", rf"\begin{{tabular}}{{{columns}}}", r"\hline"]
        lines += [" & ".join(map(_escaped, table.columns)) + r" \\", r"\hline"]
        lines += [" & ".join(map(_escaped, row)) + r" \\" for row in table.rows]
        lines += [r"\hline", r"\end{tabular}"]
    lines += ["", *(f"% {_escaped(note)}" for note in (*comparison.notes, USE))]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text escaped for TeX."""
    return "".join(_TEX.get(mark, mark) for mark in " ".join(text.split()))


def _json(comparison: Comparison) -> str:
    return json.dumps(comparison.as_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


_WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".html": _html,
    ".md": _markdown,
    ".tex": _tex,
    ".csv": long_csv,
    ".json": _json,
}
