"""Differences on pages: their order, table cells and forest plot."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from experiments.compare.records import Comparison, Difference
from experiments.compare.wording import macro_name, p_value, signed
from experiments.reports.document import Block, Figure, Figures
from experiments.reports.drawings import ForestRow, draw_forest

__all__ = ["forest", "forest_rows", "judged", "macro_differences", "short"]


def macro_differences(comparison: Comparison) -> list[Difference]:
    """Differences of macro means, primary ones first."""
    macros = [one for one in comparison.differences if not one.finding]
    return sorted(macros, key=lambda one: one.family != "primary")


def judged(difference: Difference) -> tuple[str, str, str]:
    """Value, p and Holm-adjusted p of a difference; `too few` where positives are too few."""
    if difference.verdict == "too few":
        return "too few", "", ""
    return signed(difference.value), p_value(difference.p), p_value(difference.p_holm)


def forest_rows(differences: Sequence[Difference], labels: Sequence[str]) -> list[ForestRow]:
    """Rows of a forest plot: the differences with a verdict and an interval."""
    return [
        ForestRow(
            label,
            value,
            low,
            high,
            strong=one.family == "primary",
            called=one.verdict in ("higher", "lower"),
        )
        for one, label in zip(differences, labels, strict=True)
        if one.verdict != "too few"
        and (value := one.value.value) is not None
        and (low := one.value.low) is not None
        and (high := one.value.high) is not None
    ]


def forest(differences: Sequence[Difference], labels: Sequence[str], name: str) -> Iterator[Block]:
    """Forest plot of differences; nothing where none has an interval."""
    rows = forest_rows(differences, labels)
    if not rows:
        return
    axis = f"first minus second, {macro_name(differences[0].metric)}"
    drawn = draw_forest(rows, f"Forest plot: {name}", x=axis)
    caption = (
        "Filled: interval excludes zero; diamonds and bold: primary endpoints. Right of the dashed "
        "line the first is higher."
    )
    yield Figures((Figure(drawn, caption),), wide=True)


def short(name: str, letters: int) -> str:
    """Name shortened to the room in a drawing."""
    return textwrap.shorten(name, letters, placeholder="…") or name[:letters]
