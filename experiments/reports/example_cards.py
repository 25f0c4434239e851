"""Example studies on a page: predictions, labels and the evidence for each prediction."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.reports.subgroups import NO_FINDING
from experiments.reports.wording import exact

__all__ = ["example_cards"]

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def example_cards(
    examples: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Values of each example for the template, studies with an abnormal finding first.

    Args:
        examples: Content of `examples.json`.
        names: Preferred name of each finding.
    """
    normal = {NO_FINDING, names.get(NO_FINDING)}
    return [
        {
            "study": str(example.get("study", "")),
            "images": [picture(image) for image in example.get("images") or ()],
            "text": str(example.get("text") or ""),
            "findings": [_answer(row, names) for row in example.get("findings") or ()],
        }
        for example in sorted(examples, key=lambda one: not _abnormal(one, normal))
    ]


def _abnormal(example: Mapping[str, Any], normal: set[str | None]) -> bool:
    """Whether a finding other than No Finding is labelled present."""
    return any(
        exact(row.get("label")) == 1 and row.get("finding") not in normal
        for row in example.get("findings") or ()
    )


def picture(image: Any) -> str | None:
    """A base64 PNG or JPEG as a data address; None for anything else."""
    try:
        raw = base64.b64decode(str(image or ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    for start, kind in _KINDS.items():
        if raw.startswith(start):
            return f"data:{kind};base64,{base64.b64encode(raw).decode('ascii')}"
    return None


def _answer(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """One finding of an example."""
    finding = str(row.get("finding", ""))
    probability, threshold = exact(row.get("probability")), exact(row.get("threshold"))
    truth = exact(row.get("label"))
    return {
        "label": names.get(finding, finding),
        "probability": probability,
        "threshold": threshold,
        "verdict": _verdict(truth, probability, threshold),
        "quiet": not truth and _below(probability, threshold),
        "evidence": [str(line) for line in row.get("evidence") or ()],
    }


def _below(probability: float | None, threshold: float | None) -> bool:
    return probability is not None and threshold is not None and probability < threshold


def _verdict(
    truth: float | None, probability: float | None, threshold: float | None
) -> tuple[str, str]:
    """Tone and text of a prediction compared with its label."""
    if probability is None:
        return "none", "not possible"
    if threshold is None:
        return "none", "not labelled" if truth is None else "present" if truth else "absent"
    positive = probability >= threshold
    if truth is None:
        return "none", f"predicted {'present' if positive else 'absent'}, not labelled"
    if positive == bool(truth):
        return "right", "true positive" if positive else "true negative"
    return "wrong", "false positive" if positive else "false negative"
