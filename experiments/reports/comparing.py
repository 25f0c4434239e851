"""How pages show differences: which come first, the cells of a table, the forest plot."""

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
    """Its value, p and p after Holm; of one with too few positives only that."""
    if difference.verdict == "too few":
        return "too few", "", ""
    return signed(difference.value), p_value(difference.p), p_value(difference.p_holm)


def forest_rows(differences: Sequence[Difference], labels: Sequence[str]) -> list[ForestRow]:
    """The differences that are judged and have an interval, as rows of a forest plot."""
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
    """The forest plot of some differences; nothing where none has an interval."""
    rows = forest_rows(differences, labels)
    if not rows:
        return
    axis = f"first minus second, {macro_name(differences[0].metric)}"
    drawn = draw_forest(rows, f"Forest plot: {name}", x=axis)
    told = (
        "Filled: called; diamonds and bold: primary. Right of the dashed line the first is higher."
    )
    yield Figures((Figure(drawn, told),), wide=True)


def short(name: str, letters: int) -> str:
    """A name as a drawing has room for it."""
    return textwrap.shorten(name, letters, placeholder="…") or name[:letters]
