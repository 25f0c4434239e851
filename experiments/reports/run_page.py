"""The page of one run: what was asked, what was measured, what it rests on, how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from experiments.metrics.calibration import reliability
from experiments.metrics.curves import curve
from experiments.metrics.ranking import auroc, prevalence
from experiments.records.atomic import write_text
from experiments.records.predictions import ScoredPart
from experiments.reports.drawings import draw_curve, draw_learning, draw_reliability
from experiments.reports.example_cards import example_cards
from experiments.reports.pages import page_style, page_templates
from experiments.reports.run_files import RunFiles, read_run_files
from experiments.reports.wording import (
    INPUTS,
    LEAKAGE,
    exact,
    metric_name,
    metric_note,
    number,
    short_name,
    span,
)

__all__ = ["render_run_page", "write_run_page"]

MOST_DRAWN = 30
"""Findings that get curves; a page with hundreds of drawings helps nobody."""

_TILES = ("auroc_macro", "auprc_macro", "accuracy", "balanced_accuracy", "f1_macro", "brier_macro")
_COLUMNS = (
    "auprc",
    "prevalence",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "mcc",
    "brier",
    "ece",
)


def write_run_page(run_folder: Path) -> Path:
    """Write `report.html` into a run's folder, from the files of that folder alone.

    The same files give the same bytes.

    Args:
        run_folder: Folder with `record.json` and what else the run has written.

    Returns:
        The page.

    Raises:
        InputError: If the record is missing or a file cannot be read.
    """
    page = Path(run_folder) / "report.html"
    write_text(page, render_run_page(read_run_files(Path(run_folder))))
    return page


def render_run_page(files: RunFiles) -> str:
    """The page as text: one document, no reference to anything outside it."""
    environment = page_templates()
    environment.filters.update(
        number=number, span=span, metric=metric_name, short=short_name, note=metric_note
    )
    record = files.record
    rows = finding_rows(record, files.part)
    names = {str(row["finding"]): str(row["label"]) for row in rows}
    return environment.get_template("run_page.html").render(
        style=page_style(),
        record=_Record(record),
        part=files.part,
        metrics=_metrics(record, files.part),
        tiles=_TILES,
        rows=rows,
        columns=[
            name
            for name in _COLUMNS
            if any(exact(row["metrics"].get(name)) is not None for row in rows)
        ],
        few=[row["label"] for row in rows if row["few"]],
        leakage=LEAKAGE.get(
            str(record.get("leakage", "none")), ("warn", str(record.get("leakage")), "")
        ),
        readable=INPUTS.get(str(record.get("text_policy", "none")), str(record.get("text_policy"))),
        drawn=_drawn(files.scored, names) if files.scored else [],
        most=MOST_DRAWN,
        learning=_learning(files.journal),
        examples=example_cards(files.examples, names),
        counts=_counts(files.scored),
        config=files.config,
    )


class _Record(dict[str, Any]):
    """A record for the template: a key that an older run lacks reads as nothing."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)

    def __missing__(self, key: str) -> None:
        return None


def finding_rows(record: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Rows of the per-finding table of a part, whether their metrics are nested or flat."""
    rows = []
    for row in record.get("findings") or ():
        if row.get("part", part) != part:
            continue
        metrics = dict(row.get("metrics") or row)
        area = metrics.get("auroc")
        if not isinstance(area, Mapping):
            area = {"value": area, "low": row.get("auroc_low"), "high": row.get("auroc_high")}
        area = {end: exact(area.get(end)) for end in ("value", "low", "high")}
        remark = str(row.get("remark") or "")
        few = bool(row.get("too_few")) or "fewer than" in remark
        rows.append(
            {
                "finding": row.get("finding", ""),
                "label": row.get("label") or row.get("finding", ""),
                "studies": row.get("studies", row.get("n")),
                "positives": row.get("positives"),
                "basis": str(row.get("basis") or "trained").replace("_", " "),
                "threshold": row.get("threshold"),
                "area": area,
                "metrics": metrics,
                "few": few,
                "remark": remark or ("too few" if few else ""),
            }
        )
    return rows


def _metrics(record: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """Summary metrics of a part that have a value."""
    metrics = (record.get("metrics") or {}).get(part) or {}
    return {name: value for name, value in metrics.items() if exact(value) is not None}


@dataclass(frozen=True)
class _Drawn:
    """The drawings of one finding."""

    label: str
    area: float
    positives: int
    roc: Markup
    precision: Markup
    reliability: Markup


def _drawn(scored: ScoredPart, names: Mapping[str, str]) -> list[_Drawn]:
    """Curves of the findings that have both classes, those with most positives first."""
    areas = auroc(scored.labels, scored.probabilities)
    share = prevalence(np.where(np.isnan(scored.probabilities), np.nan, scored.labels))
    positives = np.nansum(np.where(np.isnan(scored.probabilities), np.nan, scored.labels), axis=0)
    order = [c for c in np.argsort(-positives, kind="stable") if not np.isnan(areas[c])]
    drawn = []
    for c in order[:MOST_DRAWN]:
        label = names.get(scored.findings[c], scored.findings[c])
        labels, said = scored.labels[:, c], scored.probabilities[:, c]
        # The band of a finding does not depend on which others are drawn.
        roc, precision = (
            curve(labels, said, scored.patients, kind=kind, rng=np.random.default_rng(0))
            for kind in ("roc", "pr")
        )
        assert roc is not None
        assert precision is not None
        drawn.append(
            _Drawn(
                label=label,
                area=float(areas[c]),
                positives=int(positives[c]),
                roc=draw_curve(
                    roc,
                    f"ROC curve of {label}",
                    x="false positive rate",
                    y="sensitivity",
                    chance=None,
                ),
                precision=draw_curve(
                    precision,
                    f"Precision-recall curve of {label}",
                    x="recall",
                    y="precision",
                    chance=float(share[c]),
                ),
                reliability=draw_reliability(
                    reliability(labels, said, bins=10), f"Reliability of {label}"
                ),
            )
        )
    return drawn


def _learning(journal: tuple[Mapping[str, Any], ...]) -> list[Markup]:
    """Losses and validation metrics over epochs; stages of training one after the other."""
    places, bounds = _places(journal)
    drawings = []
    for prefix, title in (("loss", "training loss"), ("validation", "on validation")):
        series: dict[str, list[tuple[float, float]]] = {}
        for place, row in zip(places, journal, strict=True):
            for key, value in row.items():
                group, _, name = key.partition("/")
                known = exact(value)
                if group == prefix and name and known is not None:
                    label = metric_name(name) if prefix == "validation" else name.replace("_", " ")
                    series.setdefault(label, []).append((place, known))
        # A line breaks where a new stage begins.
        series = {
            label: sorted([*points, *((bound, np.nan) for bound in bounds)])
            for label, points in series.items()
        }
        if series:
            drawings.append(draw_learning(series, f"Learning: {title}", y=title, bounds=bounds))
    return drawings


def _places(journal: tuple[Mapping[str, Any], ...]) -> tuple[list[float], list[float]]:
    """Place of each row on one axis of epochs, and where a new stage begins on it."""
    places: list[float] = []
    bounds: list[float] = []
    start, last, stage = 0.0, -1.0, None
    for row in journal:
        epoch = exact(row.get("epoch"))
        epoch = last + 1 - start if epoch is None else epoch
        if places and row.get("stage") != stage:
            start = last + 1
            bounds.append(start - 0.5)
        stage = row.get("stage")
        last = start + epoch
        places.append(last)
    return places, bounds


def _counts(scored: ScoredPart | None) -> dict[str, int]:
    """Studies, patients and findings of what was scored."""
    if scored is None:
        return {}
    return {
        "studies": len(scored.studies),
        "patients": len(set(scored.patients)),
        "findings": len(scored.findings),
    }
