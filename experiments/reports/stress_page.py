"""The table of a text stress suite as a page or as csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from experiments.compare.wording import p_value
from experiments.evaluation.text_stress import StressRow, TextStress
from experiments.reports.document import Page, Row, Section, Table
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from kg.errors import check_format

__all__ = ["COLUMNS", "cells", "check_ending", "render"]

COLUMNS = ("run", "text at test", "changed to", "texts changed", "AUROC", "loss of AUROC", "p")
"""Headings of the table."""

ABOUT = (
    "Every text is changed within what the text policy allows, at test alone. The loss is the "
    "macro AUROC as written minus that on the changed text, on the same studies and resamples of "
    "patients, with its 95% interval; p is of one loss, not corrected for their number."
)


def render(stress: TextStress, ending: str) -> str:
    """The table as the text of a file.

    Args:
        stress: The table.
        ending: `.html`, `.md` or `.csv`.
    """
    check_ending(ending)
    return _WRITERS[ending](stress)


def check_ending(ending: str) -> None:
    """Raise for an unknown format before anything is computed.

    Raises:
        InputError: If there is no such format.
    """
    check_format("a stress suite", ending, _WRITERS)


def cells(row: StressRow) -> tuple[str, ...]:
    """Cells of a row of the table, in the order of `COLUMNS`."""
    return (
        row.run,
        row.text_policy,
        row.perturbation,
        "" if row.loss is None else f"{row.changed:.0%}",
        row.auroc.words(),
        "" if row.loss is None else row.loss.words(sign=True),
        "" if row.p is None else p_value(row.p),
    )


def _page(stress: TextStress) -> Page:
    rows = tuple(Row(cells(row)) for row in stress.rows)
    table = Table(COLUMNS, rows, frozenset({0, 1, 2}))
    return Page(
        title=f"Text stress suite on {stress.dataset}",
        kicker="kgdx experiment stress",
        heading=f"What changed text costs on {stress.dataset}",
        lead=ABOUT,
        sections=(Section("losses", "Losses", (table,)),),
        foot=f"Seed {stress.seed}. For research use only: not a medical device.",
    )


def _csv(stress: TextStress) -> str:
    """One line per row, numbers apart from their intervals."""
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    numbers = [f"{name}{end}" for name in ("auroc", "loss") for end in ("", "_low", "_high")]
    written.writerow(["run", "text_policy", "perturbation", "changed", *numbers, "p"])
    for row in stress.rows:
        values = [
            getattr(one, end) if one is not None else None
            for one in (row.auroc, row.loss)
            for end in ("value", "low", "high")
        ]
        written.writerow([row.run, row.text_policy, row.perturbation, row.changed, *values, row.p])
    return text.getvalue()


_WRITERS: dict[str, Callable[[TextStress], str]] = {
    ".html": lambda stress: render_html(_page(stress)),
    ".md": lambda stress: render_markdown(_page(stress)),
    ".csv": _csv,
}
