"""Scores: probabilities of a system for studies, calibrated and cut by what validation taught."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.batch import StudyBatch
from experiments.metrics.calibration import (
    apply_exclusive_temperature,
    apply_temperature,
    fit_exclusive_temperature,
    fit_temperature,
)
from experiments.metrics.decisions import Thresholds, choose_thresholds
from experiments.metrics.ranking import auroc
from fusion.system import System

__all__ = ["Calibration", "calibrate", "macro_auroc", "probabilities"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What validation taught about a system's probabilities.

    Args:
        temperatures: One a finding trained on; one for all of an exclusive set.
        thresholds: Decision thresholds, with the patients they were chosen on.
        exclusive: Whether the findings exclude each other.
    """

    temperatures: tuple[float, ...]
    thresholds: Thresholds
    exclusive: bool

    def apply(self, raw: Matrix) -> Matrix:
        """Calibrated probabilities `[n, C]` of the findings trained on."""
        if self.exclusive:
            return apply_exclusive_temperature(raw, self.temperatures[0])
        return apply_temperature(raw, self.temperatures)


@torch.no_grad()
def probabilities(
    system: System,
    batches: Iterable[StudyBatch],
    findings: tuple[str, ...],
    *,
    exclusive: bool,
) -> Matrix:
    """Raw probabilities `[n, C]` of a system in evaluation mode; NaN where not possible.

    Args:
        system: The system.
        batches: The studies.
        findings: Concept ids asked for.
        exclusive: Softmax over the findings instead of a sigmoid for each.
    """
    was_training = system.training
    system.eval()
    device = next(system.parameters()).device
    rows = []
    for batch in batches:
        logits = system.predict(batch.to(device), findings).logits.double()
        rows.append(logits.softmax(1) if exclusive else logits.sigmoid())
    system.train(was_training)
    if not rows:
        return np.zeros((0, len(findings)))
    made: Matrix = torch.cat(rows).cpu().numpy()
    return made


def calibrate(
    labels: NDArray[Any], raw: Matrix, patients: Sequence[str], *, exclusive: bool
) -> Calibration:
    """Fit temperatures and thresholds on validation studies."""
    if exclusive:
        one = fit_exclusive_temperature(labels, raw)
        calibrated = apply_exclusive_temperature(raw, one)
        temperatures: tuple[float, ...] = (one,)
    else:
        each = fit_temperature(labels, raw)
        calibrated = apply_temperature(raw, each)
        temperatures = tuple(float(value) for value in each)
    return Calibration(temperatures, choose_thresholds(labels, calibrated, patients), exclusive)


def macro_auroc(labels: NDArray[Any], scores: Matrix) -> float:
    """Mean AUROC over the findings that have both classes; NaN where none has."""
    areas = np.asarray(auroc(labels, scores), dtype=np.float64)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")
