"""Metrics by finding on a run's page: table, ROC and precision-recall curves, reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.metrics.bootstrap import USUAL
from experiments.metrics.calibration import reliability
from experiments.metrics.curves import curve
from experiments.metrics.ranking import auroc, prevalence
from experiments.records.predictions import ScoredSubset
from experiments.reports.document import (
    Bar,
    Block,
    Figure,
    Figures,
    Folded,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from experiments.reports.drawings import draw_curve, draw_reliability
from experiments.reports.wording import exact, number, short_name, span

__all__ = [
    "MOST_DRAWN",
    "averaged_words",
    "curve_sections",
    "finding_rows",
    "findings_section",
    "interval_bar",
]

MOST_DRAWN = 30
"""Maximum number of findings with curves."""

FEWEST = USUAL.at_least
"""Fewest positives of a finding for a verdict, whatever the run itself has averaged."""

_FIRST = ("auprc", "sensitivity", "specificity")
"""Metrics beside the AUROC in the first table of findings."""
_FURTHER = ("prevalence", "precision", "f1", "mcc", "brier", "ece")
"""Metrics in the second one."""


def finding_rows(record: Mapping[str, Any], subset: str) -> list[dict[str, Any]]:
    """Rows of the per-finding table of a subset, from nested or flat metrics."""
    rows = []
    for row in record.get("findings") or ():
        if row.get("part", subset) != subset:
            continue
        metrics = dict(row.get("metrics") or row)
        area = metrics.get("auroc")
        if not isinstance(area, Mapping):
            area = {"value": area, "low": row.get("auroc_low"), "high": row.get("auroc_high")}
        area = {end: exact(area.get(end)) for end in ("value", "low", "high")}
        remark = str(row.get("remark") or "")
        left_out = bool(row.get("too_few")) or "fewer than" in remark or "too few" in remark
        # a run of one fold averages findings with enough positives in the whole development set
        positives = exact(row.get("positives"))
        few = left_out or (positives is not None and positives < FEWEST)
        averaged = not left_out and area["value"] is not None
        if few and not remark:
            remark = "too few positives" + ", yet averaged" * averaged
        rows.append(
            {
                "finding": str(row.get("finding", "")),
                "label": str(row.get("label") or row.get("finding", "")),
                "studies": row.get("studies", row.get("n")),
                "positives": row.get("positives"),
                "basis": str(row.get("basis") or "trained").replace("_", " "),
                "threshold": exact(row.get("threshold")),
                "temperature": exact(row.get("temperature")),
                "area": area,
                "metrics": metrics,
                "few": few,
                "averaged": averaged,
                "remark": remark,
            }
        )
    return rows


def averaged_words(
    rows: Sequence[Mapping[str, Any]], scored: ScoredSubset | None, *, every: bool = False
) -> str:
    """Number of averaged findings, and of those with too few positives, in words.

    Args:
        rows: Rows of the table of findings.
        scored: Probabilities on the subset; held-out findings are not among its own.
        every: Whether all findings with a value are averaged, however few their positives.
    """
    predicted = {row["finding"] for row in rows} if scored is None else set(scored.findings)
    averaged = [
        row
        for row in rows
        if row["finding"] in predicted
        and (row["averaged"] or (every and row["area"]["value"] is not None))
    ]
    few = sum(row["few"] for row in averaged)
    counted = f"{len(averaged)} finding{'s' * (len(averaged) != 1)}"
    return f"{counted}, {few or 'none'} of them with fewer than {FEWEST} positives"


def findings_section(rows: Sequence[Mapping[str, Any]], subset: str) -> Section:
    """Tables of findings: what is read first, and further metrics on demand."""
    title, short = "Metrics by finding", "Findings"
    if not rows:
        reason = Paragraph(f"The record has no table of findings for {subset}.")
        return Section("findings", title, (reason,), short)
    explained = (
        "The bar spans 0.3 to 1; the dashed line is chance. Rates are at thresholds selected on "
        "validation."
    )
    if any(row["few"] for row in rows):
        explained += " Grey rows have too few positives for a verdict."
    further = Folded("Further metrics, thresholds and basis", (_further(rows),))
    blocks = (_first(rows), Paragraph(explained, "note"), further)
    return Section("findings", title, blocks, short)


def _first(rows: Sequence[Mapping[str, Any]]) -> Table:
    """AUROC of each finding, and the rates at its threshold."""
    columns = _measured(rows, _FIRST)
    heads = ("Finding", "AUROC", "95% interval", "", "With it", *map(short_name, columns))
    lines = []
    for row in rows:
        positives = "" if row["positives"] is None else str(row["positives"])
        counted = positives if row["studies"] is None else f"{positives} of {row['studies']}"
        name = row["label"] if row["basis"] == "trained" else f"{row['label']} ({row['basis']})"
        area = row["area"]
        shown = (name, number(area), span(area), interval_bar(area), counted)
        lines.append(Row((*shown, *_values(row, columns)), faint=row["few"]))
    return Table(heads, tuple(lines))


def _further(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Remaining metrics of each finding, and how it was predicted."""
    columns = _measured(rows, _FURTHER)
    lines = []
    for row in rows:
        cut = "none" if row["threshold"] is None else number(row["threshold"], 2)
        basis = "; ".join(word for word in (row["basis"], row["remark"]) if word)
        lines.append(Row((row["label"], *_values(row, columns), cut, basis), faint=row["few"]))
    heads = ("Finding", *map(short_name, columns), "Threshold", "Basis")
    return Table(heads, tuple(lines), words=frozenset({len(heads) - 1}))


def _measured(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Metrics that at least one finding has."""
    return [
        name for name in names if any(exact(row["metrics"].get(name)) is not None for row in rows)
    ]


def _values(row: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    return (number(row["metrics"].get(name), 2) for name in names)


def interval_bar(measured: Mapping[str, Any]) -> Bar | str:
    """Bar of an AUROC with its interval; empty where it has none."""
    ends = [exact(measured.get(name)) for name in ("value", "low", "high")]
    value, low, high = ends
    if value is None or low is None or high is None:
        return ""
    return Bar(value, low, high)


def curve_sections(scored: ScoredSubset | None, names: Mapping[str, str]) -> Iterator[Section]:
    """Curves and reliability of the findings with both classes, most positives first."""
    places = _drawable(scored) if scored else []
    if scored is None or not places:
        reason = "No curves: the run's folder has no predictions with both classes."
        yield Section("no-curves", "Curves", (Paragraph(reason),))
        return
    areas = auroc(scored.labels, scored.probabilities)
    labels = [names.get(scored.findings[c], scored.findings[c]) for c in places]
    counted = [f"n={int(_positives(scored)[c])}" for c in places]
    roc, precision = (_curves(scored, places, labels, kind) for kind in ("roc", "pr"))
    explained = "Bands are pointwise 95%, from resampling patient groups; dashed lines are chance."
    if len(places) == MOST_DRAWN:
        explained += f" Only the {MOST_DRAWN} findings with the most positives are drawn."
    blocks: tuple[Block, ...] = (
        Paragraph(explained, "soft"),
        Heading("ROC"),
        Figures(tuple(map(Figure, roc, labels, (number(areas[c]) for c in places)))),
        Heading("Precision and recall"),
        Figures(tuple(map(Figure, precision, labels, counted))),
    )
    yield Section("curves", "ROC and precision-recall curves", blocks, "Curves")
    yield _calibration(scored, places, labels)


def _calibration(scored: ScoredSubset, places: Sequence[int], labels: Sequence[str]) -> Section:
    """Reliability diagrams."""
    points = [reliability(scored.labels[:, c], scored.probabilities[:, c], bins=10) for c in places]
    drawn = [
        Figure(draw_reliability(one, f"Reliability of {label}"), label)
        for one, label in zip(points, labels, strict=True)
    ]
    explained = (
        "Predicted probability against the observed share with the finding, in ten bins. On the "
        "diagonal they are equal. Larger dots are more studies; whiskers are 95% (Wilson)."
    )
    title = "Calibration"
    blocks = (Paragraph(explained, "soft"), Figures(tuple(drawn)))
    return Section("calibration", title, blocks, "Calibration")


def _positives(scored: ScoredSubset) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Number of positives with a probability of each finding, `[C]`."""
    known = np.where(np.isnan(scored.probabilities), np.nan, scored.labels)
    return np.asarray(np.nansum(known, axis=0))


def _drawable(scored: ScoredSubset) -> list[int]:
    """Indices of the findings to draw."""
    areas = auroc(scored.labels, scored.probabilities)
    order = np.argsort(-_positives(scored), kind="stable")
    return [int(c) for c in order if not np.isnan(areas[c])][:MOST_DRAWN]


def _curves(
    scored: ScoredSubset, places: Sequence[int], labels: Sequence[str], kind: Any
) -> list[Any]:
    """Drawing of each finding's curve of a kind."""
    known = np.where(np.isnan(scored.probabilities), np.nan, scored.labels)
    share = prevalence(known)
    drawings = []
    for c, label in zip(places, labels, strict=True):
        # the band of a finding does not depend on which others are drawn
        points = curve(
            scored.labels[:, c],
            scored.probabilities[:, c],
            scored.patients,
            kind=kind,
            rng=np.random.default_rng(0),
        )
        assert points is not None
        if kind == "roc":
            name, x, y, chance = f"ROC curve of {label}", "false positive rate", "sensitivity", None
        else:
            name, x, y = f"Precision-recall curve of {label}", "recall", "precision"
            chance = float(share[c])
        drawings.append(draw_curve(points, name, x=x, y=y, chance=chance))
    return drawings
