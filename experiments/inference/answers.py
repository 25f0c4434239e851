"""Answers: predictions of a system for any findings, each with its basis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.inference.score import probabilities
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.arrays import FloatArray
from experiments.metrics.calibration import Calibration
from fusion.capabilities import Classifies, able
from fusion.system import Basis, System

__all__ = ["Answers", "answer"]


@dataclass(frozen=True)
class Answers:
    """Answers for `n` studies and `C` findings.

    Args:
        findings: Concept ids of the requested findings.
        probabilities: In [0, 1], `[n, C]`; NaN where not possible.
        basis: Basis of each finding's prediction.
        thresholds: Threshold of each trained finding; None for all others.
        temperatures: Temperature of each trained finding; None for all others.
    """

    findings: tuple[str, ...]
    probabilities: FloatArray
    basis: tuple[Basis, ...]
    thresholds: tuple[float | None, ...]
    temperatures: tuple[float | None, ...]


def answer(
    system: System, cohort: Cohort, findings: tuple[str, ...], calibration: Calibration | None
) -> Answers:
    """Predict findings, trained on or not.

    A trained finding is calibrated on validation; of an exclusive set it takes its share in the
    softmax over the whole set. Any other finding is the sigmoid of its logit, and
    has neither calibration nor threshold.

    Args:
        system: The trained system.
        cohort: The studies (`n`).
        findings: Concept ids of the requested findings (`C`).
        calibration: Of the findings trained on, in their order; None where none was trained on.
    """
    trained = system.setting.findings
    classifier: Classifies = able(system, Classifies)
    basis = tuple(classifier.basis(finding) for finding in findings)
    scores = np.full((len(cohort), len(findings)), np.nan)
    every = range(len(cohort))
    if calibration is not None and "trained" in basis:
        raw = probabilities(
            system, batches(cohort, every), trained, exclusive=calibration.exclusive
        )
        calibrated = calibration.apply(raw)
        for column, (finding, how) in enumerate(zip(findings, basis, strict=True)):
            if how == "trained":
                scores[:, column] = calibrated[:, trained.index(finding)]
    others = [column for column, how in enumerate(basis) if how == "zero_shot"]
    if others:
        untrained = tuple(findings[column] for column in others)
        scores[:, others] = probabilities(
            system, batches(cohort, every), untrained, exclusive=False
        )
    thresholds, temperatures = _decision_values(findings, basis, trained, calibration)
    return Answers(findings, scores, basis, thresholds, temperatures)


def _decision_values(
    findings: tuple[str, ...],
    basis: tuple[Basis, ...],
    trained: tuple[str, ...],
    calibration: Calibration | None,
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Threshold and temperature of each finding, None for those not trained on."""
    thresholds: list[float | None] = []
    temperatures: list[float | None] = []
    for finding, how in zip(findings, basis, strict=True):
        if how != "trained" or calibration is None:
            thresholds.append(None)
            temperatures.append(None)
            continue
        place = trained.index(finding)
        value = calibration.thresholds.values[place]
        thresholds.append(float(value) if np.isfinite(value) else None)
        temperatures.append(calibration.temperatures[0 if calibration.exclusive else place])
    return tuple(thresholds), tuple(temperatures)
