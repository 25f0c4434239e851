"""How a page says things: names of metrics, numbers with their intervals, what leakage means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.metrics.bootstrap import Estimate
from experiments.records.record import Measured

__all__ = [
    "INPUTS",
    "LEAKAGE",
    "exact",
    "listed",
    "metric_name",
    "metric_note",
    "number",
    "short_name",
    "span",
]

_NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "mcc": "MCC",
    "ece": "ECE",
    "ece_adaptive": "ECE, adaptive",
    "brier": "Brier score",
    "precision": "Precision (PPV)",
    "negative_predictive_value": "NPV",
}

_SHORT = {
    "prevalence": "Share",
    "sensitivity": "Sens.",
    "specificity": "Spec.",
    "precision": "PPV",
    "brier": "Brier",
}

_NOTES = {
    "auroc": "chance that a study with the finding ranks above one without; 0.5 is guessing",
    "auprc": "average precision; guessing gives the prevalence",
    "f1": "balance of sensitivity and precision at the threshold",
    "mcc": "correlation of answer and label; 0 is guessing",
    "sensitivity": "share of studies with the finding that were caught",
    "specificity": "share of studies without it that were left alone",
    "precision": "share of alarms that were right",
    "accuracy": "share of answers that were right",
    "balanced_accuracy": "mean of the classes' sensitivities",
    "brier": "squared error of the probability; lower is better",
    "ece": "how far probabilities are from what happened; lower is better",
    "hierarchy_consistency": "share of narrower findings not likelier than the wider they entail",
    "convention_consistency": "the same by what the label set files under what",
    "no_finding_contradiction": "share of studies said to have no finding, and one as well",
    "no_finding_neither": "share of studies said to have neither",
}

LEAKAGE = {
    "none": (
        "calm",
        "no leakage",
        "The text the system read at test is not what labels came from.",
    ),
    "partial": (
        "warn",
        "partial leakage",
        "Part of what the labels were read from could be read at test. Not a diagnosis from "
        "the image alone.",
    ),
    "label_source_read": (
        "alarm",
        "label source read",
        "At test the system could read the text its labels were made from. These numbers measure "
        "reading, not diagnosis.",
    ),
}
"""Tone, badge and sentence of each level of leakage."""

INPUTS = {
    "none": "no text",
    "indication": "the indication (why the examination was asked for)",
    "findings": "the findings section of the report",
    "impression": "the impression section of the report",
    "full": "the full report",
    "redacted": "the report with every clause on an asked-for finding cut out",
    "dialogue": "the doctor-patient dialogue",
}
"""What each text policy lets the system read."""


def metric_name(name: str) -> str:
    """`auroc_macro` as `AUROC, macro`."""
    stem, kind = _parted(name)
    words = _NAMES.get(stem, stem.replace("_", " ").capitalize())
    return f"{words}, {kind}" if kind else words


def short_name(name: str) -> str:
    """The name of a metric as the head of a narrow column."""
    return _SHORT.get(name, metric_name(name))


def metric_note(name: str) -> str:
    """One line on what a metric means; empty where the page has none."""
    return _NOTES.get(_parted(name)[0], "")


def _parted(name: str) -> tuple[str, str]:
    """A metric's stem, and `macro` or `micro` where it is a mean."""
    for kind in ("macro", "micro"):
        if name.endswith(f"_{kind}"):
            return name.removesuffix(f"_{kind}"), kind
    return name, ""


def exact(value: Any) -> float | None:
    """A number, or the value of a measured one; None where it is not defined."""
    value = _part(value, "value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if value - value == 0 else None


def number(value: Any, digits: int = 3) -> str:
    """A number with fixed digits; `n/a` where it is not defined."""
    known = exact(value)
    return "n/a" if known is None else f"{known:.{digits}f}"


def span(measured: Any) -> str:
    """The interval of a measured value, `0.742 to 0.799`; empty where it has none."""
    if not isinstance(measured, Mapping | Measured | Estimate):
        return ""
    low, high = exact(_part(measured, "low")), exact(_part(measured, "high"))
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _part(measured: Any, name: str) -> Any:
    """Value or end of a measured value, as a record or as read from a file; else what is given."""
    if isinstance(measured, Measured | Estimate):
        return getattr(measured, name)
    return measured.get(name) if isinstance(measured, Mapping) else measured


def listed(values: Any) -> str:
    """Several values in one line, or one as it is; empty where there is none."""
    if isinstance(values, list | tuple):
        return ", ".join(map(str, values))
    return "" if values is None else str(values)
