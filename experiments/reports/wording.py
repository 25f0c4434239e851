"""Wording of pages: names of metrics, numbers with intervals, levels of leakage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.metrics.bootstrap import ALL, Estimate
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
    "auroc": "probability that a study with the finding ranks above one without; 0.5 is chance",
    "auprc": "average precision; chance is the prevalence",
    "f1": "harmonic mean of sensitivity and precision at the threshold",
    "mcc": "correlation of decision and label; 0 is chance",
    "sensitivity": "share of studies with the finding that were predicted positive",
    "specificity": "share of studies without it that were predicted negative",
    "precision": "share of positive predictions that are right",
    "accuracy": "share of decisions that are right",
    "balanced_accuracy": "mean of the classes' sensitivities",
    "brier": "squared error of the probability; lower is better",
    "ece": "mean gap between probability and observed share; lower is better",
    "hierarchy_consistency": "share of narrower findings not more probable than the wider ones",
    "convention_consistency": "the same by the hierarchy of the label set",
    "no_finding_contradiction": "share of studies predicted to have both no finding and a finding",
    "no_finding_neither": "share of studies predicted to have neither",
}

_MEANS = {f"macro{ALL}": "macro over all findings", "macro": "macro", "micro": "micro"}

LEAKAGE = {
    "none": (
        "calm",
        "no leakage",
        "The labels were not derived from the text that the system read at test.",
    ),
    "partial": (
        "warn",
        "partial leakage",
        "Some of the text that the labels were derived from was read at test. Not a diagnosis "
        "from the image alone.",
    ),
    "label_source_read": (
        "alarm",
        "label source read",
        "At test the system read the text its labels were derived from. These numbers measure "
        "text reading, not diagnosis.",
    ),
}
"""Tone, badge and sentence of each level of leakage."""

INPUTS = {
    "none": "no text",
    "indication": "the indication (reason for the examination)",
    "findings": "the findings section of the report",
    "impression": "the impression section of the report",
    "full": "the full report",
    "redacted": "the report without the clauses on the predicted findings",
    "dialogue": "the doctor-patient dialogue",
}
"""Text read by the system under each text policy."""


def metric_name(name: str) -> str:
    """`auroc_macro` as `AUROC, macro`."""
    stem, kind = _stem_and_mean(name)
    words = _NAMES.get(stem, stem.replace("_", " ").capitalize())
    return f"{words}, {kind}" if kind else words


def short_name(name: str) -> str:
    """Name of a metric in a narrow column heading."""
    return _SHORT.get(name, metric_name(name))


def metric_note(name: str) -> str:
    """Meaning of a metric in one line; empty where there is none."""
    return _NOTES.get(_stem_and_mean(name)[0], "")


def _stem_and_mean(name: str) -> tuple[str, str]:
    """A metric's stem, and the kind of mean where it is one."""
    for end, kind in _MEANS.items():
        if name.endswith(f"_{end}"):
            return name.removesuffix(f"_{end}"), kind
    return name, ""


def exact(value: Any) -> float | None:
    """A number, or the value of a measured one; None where it is not defined."""
    value = _field(value, "value")
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
    low, high = exact(_field(measured, "low")), exact(_field(measured, "high"))
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _field(measured: Any, name: str) -> Any:
    """Value or end of a measured value, as a record or read from a file; else the value itself."""
    if isinstance(measured, Measured | Estimate):
        return getattr(measured, name)
    return measured.get(name) if isinstance(measured, Mapping) else measured


def listed(values: Any) -> str:
    """Values on one line; empty where there are none."""
    if isinstance(values, list | tuple):
        return ", ".join(map(str, values))
    return "" if values is None else str(values)
