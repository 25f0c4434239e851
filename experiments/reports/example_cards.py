"""Studies on a page with the evidence for each answer: what was said, what is true, and why."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.reports.wording import exact

__all__ = ["SOURCES", "example_cards"]

SOURCES = ("image", "text", "evidence", "memory")
"""Sources a finding's answer is gated over, in the order they are shown."""

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def example_cards(
    examples: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What the template shows of each example.

    Args:
        examples: As `examples.json` has them.
        names: Preferred name of each finding.
    """
    return [
        {
            "study": str(example.get("study", "")),
            "images": [picture(image) for image in example.get("images") or ()],
            "text": str(example.get("text") or ""),
            "findings": [_answer(row, names) for row in example.get("findings") or ()],
        }
        for example in examples
    ]


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
    weights = row.get("sources") or {}
    known = {name: max(exact(weights.get(name)) or 0.0, 0.0) for name in SOURCES}
    total = sum(known.values())
    return {
        "label": names.get(finding, finding),
        "probability": probability,
        "threshold": threshold,
        "verdict": _verdict(truth, probability, threshold),
        "evidence": [str(line) for line in row.get("evidence") or ()],
        "sources": {name: 100 * w / total for name, w in known.items()} if total else {},
    }


def _verdict(
    truth: float | None, probability: float | None, threshold: float | None
) -> tuple[str, str]:
    """Tone and words of an answer beside the label."""
    if probability is None:
        return "none", "not possible"
    if truth is None:
        return "none", "label not stated"
    if threshold is None:
        return "none", "present" if truth else "absent"
    said = probability >= threshold
    if said == bool(truth):
        return "right", "found" if said else "rightly not said"
    return "wrong", "false alarm" if said else "missed"
