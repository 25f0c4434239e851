"""Curves on the page of a comparison: those of all entries in one drawing per finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.compare.records import Comparison, FindingScore
from experiments.reports.document import Block, Figure, Figures, Heading, Paragraph
from experiments.reports.drawings import draw_curves, draw_key
from experiments.reports.run_findings import MOST_DRAWN

__all__ = ["curve_blocks"]


def curve_blocks(comparison: Comparison, drawn: str) -> Iterator[Block]:
    """ROC and precision-recall curves; nothing where no finding has one.

    Args:
        comparison: The comparison.
        drawn: Prefix of the names of drawings.
    """
    by_finding = [
        rows
        for rows in zip(*(entry.findings for entry in comparison.entries), strict=True)
        if any(row.roc for row in rows)
    ]
    by_finding.sort(key=lambda rows: -rows[0].positives)
    by_finding = by_finding[:MOST_DRAWN]
    if not by_finding:
        return
    key = draw_key([entry.name for entry in comparison.entries], f"{drawn}key of the curves")
    yield Figures((Figure(key),), wide=True)
    yield Heading("ROC")
    yield Figures(tuple(_figure(rows, drawn, roc=True) for rows in by_finding))
    yield Heading("Precision and recall")
    yield Figures(tuple(_figure(rows, drawn, roc=False) for rows in by_finding))
    words = "Scores averaged over seeds; curves averaged over folds. Dashed lines are chance."
    yield Paragraph(words, "note")


def _figure(rows: Sequence[FindingScore], drawn: str, *, roc: bool) -> Figure:
    """The curves of one finding."""
    first = rows[0]
    if roc:
        name, x, y, chance = "ROC curves", "false positive rate", "sensitivity", None
    else:
        name, x, y = "Precision-recall curves", "recall", "precision"
        chance = first.positives / first.studies
    lines = [row.roc if roc else row.precision for row in rows]
    drawing = draw_curves(lines, f"{drawn}{name} of {first.label}", x=x, y=y, chance=chance)
    return Figure(drawing, first.label, f"n={first.positives}")
