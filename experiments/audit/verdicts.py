"""Verdicts: interpretation of a probe's results in plain words, by fixed rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.audit.probes import BearsOn
from experiments.audit.record import ExplainedRun, Place
from experiments.records.record import Measured

__all__ = ["MARKED", "MODALITY", "STRONG", "above_chance", "explained_verdict", "probe_verdict"]

STRONG = 0.9
"""AUROC of a probe from which a system cannot be distinguished from the shortcut."""
MARKED = 0.7
"""AUROC of a probe from which a system must be shown to beat it."""
NAMED = 3
"""Maximum number of findings or modalities named in a verdict."""

SYSTEM: Mapping[BearsOn, str] = {
    "anything": "a system",
    "text": "a system that reads text",
    "images": "a system that reads images",
}
"""Description of the systems that a probe bears on."""

MODALITY = {"cxr": "X-ray", "ct": "CT", "ultrasound": "ultrasound", "": "no image"}
"""Displayed names of modalities."""


def probe_verdict(
    name: str, places: Sequence[Place], labels: Mapping[str, str], bears_on: BearsOn = "anything"
) -> str:
    """Interpretation of a probe, the strongest shortcut first.

    Args:
        name: Name of the probe.
        places: Its AUROC, the one it is judged by first.
        labels: Names of the findings.
        bears_on: Input that a system must read for the probe to be a shortcut of it.
    """
    values = [
        (value, labels[finding], _where(place.where))
        for place in places
        if place.where != "together"
        for finding, value in place.findings.items()
    ]
    if not any(value.value is not None for value, _, _ in values):
        return "cannot be judged: too few studies of a class"
    predictable = sorted(
        (one for one in values if above_chance(one[0])), key=lambda one: -(one[0].value or 0)
    )
    if not predictable:
        return f"no finding can be predicted from {name} alone: {places[0].macro.words()}"
    named = ", ".join(f"{label}{on} {value.words()}" for value, label, on in predictable[:NAMED])
    more = f" and {len(predictable) - NAMED} more" if len(predictable) > NAMED else ""
    conclusion = _conclusion(name, predictable[0], SYSTEM[bears_on])
    return f"predictable from {name} alone: {named}{more}; {conclusion}"


def _conclusion(name: str, strongest: tuple[Measured, str, str], system: str) -> str:
    value, label, on = strongest
    strength = value.value or 0.0
    if strength >= STRONG:
        return f"the AUROC of {system} for {label}{on} cannot be distinguished from {name}"
    if strength >= MARKED:
        return f"a result of {system} for {label}{on} must be above this on the same folds"
    return "a weak shortcut"


def _where(where: str) -> str:
    return "" if where == "all" else f" on {MODALITY[where]}"


def above_chance(value: Measured) -> bool:
    """Whether an interval lies above 0.5."""
    return value.low is not None and value.low > 0.5


def explained_verdict(run: ExplainedRun) -> str:
    """Interpretation of a system's AUROC compared with the best probe."""
    low, high = run.difference.low, run.difference.high
    if low is None or high is None:
        return "cannot be judged: too few studies of a class"
    if low > 0:
        against = f"above {run.probe}"
    elif high < 0:
        against = f"below {run.probe}, which cannot diagnose"
    else:
        against = f"not distinguishable from {run.probe}"
    if run.within.value is None:
        return f"{against}; no studies with the same {run.probe} score differ in their label"
    ranks = "ranks them" if above_chance(run.within) else "is not shown to rank them"
    within = run.within.words()
    return f"{against}; among studies with the same {run.probe} score it {ranks}: {within}"
