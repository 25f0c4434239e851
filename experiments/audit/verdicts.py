"""Verdicts: what follows from a probe, in plain words, by fixed rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.audit.probes import BearsOn
from experiments.audit.record import ExplainedRun, Place
from experiments.records.record import Measured

__all__ = ["MARKED", "MODALITY", "STRONG", "above_chance", "explained_verdict", "probe_verdict"]

STRONG = 0.9
"""From here on what a system scores there cannot be told from the shortcut."""
MARKED = 0.7
"""From here on a probe is a rival that a system must be shown to beat."""
NAMED = 3
"""Most findings or modalities named in a verdict."""

SYSTEM: Mapping[BearsOn, str] = {
    "anything": "a system",
    "text": "a system that reads text",
    "pictures": "a system that reads images",
}
"""The system a probe bears on, in words."""

MODALITY = {"cxr": "X-ray", "ct": "CT", "ultrasound": "ultrasound", "": "no image"}
"""What modalities are called."""


def probe_verdict(
    name: str, places: Sequence[Place], labels: Mapping[str, str], bears_on: BearsOn = "anything"
) -> str:
    """What follows from a probe, the strongest shortcut first.

    Args:
        name: Name of the probe.
        places: Its AUROC, the one it is judged by first.
        labels: Names of the findings.
        bears_on: What a system must read for it to be a shortcut of that system.
    """
    values = [
        (value, labels[finding], _where(place.where))
        for place in places
        if place.where != "together"
        for finding, value in place.findings.items()
    ]
    if not any(value.value is not None for value, _, _ in values):
        return "cannot be judged: too few studies of a class"
    told = sorted(
        (one for one in values if above_chance(one[0])), key=lambda one: -(one[0].value or 0)
    )
    if not told:
        return f"nothing is told from {name} alone: {places[0].macro.words()}"
    named = ", ".join(f"{label}{on} {value.words()}" for value, label, on in told[:NAMED])
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return f"told from {name} alone: {named}{more}; {_follows(name, told[0], SYSTEM[bears_on])}"


def _follows(name: str, strongest: tuple[Measured, str, str], system: str) -> str:
    value, label, on = strongest
    strength = value.value or 0.0
    if strength >= STRONG:
        return f"what {system} scores for {label}{on} cannot be told from {name}"
    if strength >= MARKED:
        return f"a result of {system} for {label}{on} counts only above this, on the same folds"
    return "a weak shortcut"


def _where(where: str) -> str:
    return "" if where == "all" else f" on {MODALITY[where]}"


def above_chance(value: Measured) -> bool:
    """Whether an interval lies above 0.5."""
    return value.low is not None and value.low > 0.5


def explained_verdict(run: ExplainedRun) -> str:
    """What is left of a system's score beside the best probe."""
    low, high = run.difference.low, run.difference.high
    if low is None or high is None:
        return "cannot be judged: too few studies of a class"
    if low > 0:
        beside = f"above {run.probe}"
    elif high < 0:
        beside = f"below {run.probe}, which cannot diagnose"
    else:
        beside = f"not told from {run.probe}"
    if run.within.value is None:
        return f"{beside}; of studies alike to {run.probe} none differ in their label"
    left = "ranks them" if above_chance(run.within) else "is not shown to rank them"
    return f"{beside}; among studies alike to {run.probe} it {left}: {run.within.words()}"
