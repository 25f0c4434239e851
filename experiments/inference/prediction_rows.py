"""Predictions as rows: one for each study and finding, and for each study that was rejected."""

from __future__ import annotations

from typing import Any

from experiments.inference.predict import Predicted

__all__ = ["prediction_rows"]


def prediction_rows(predicted: Predicted) -> list[dict[str, Any]]:
    """Rows of all predictions, then of the studies without readable input.

    A probability is None where it is not possible.
    """
    return [*_answered(predicted), *_rejected(predicted)]


def _answered(predicted: Predicted) -> list[dict[str, Any]]:
    rows = []
    prediction = predicted.prediction
    calibration = prediction.calibration or (None,) * len(prediction.findings)
    for place, study in enumerate(prediction.studies):
        for column, finding in enumerate(prediction.findings):
            value = float(prediction.probabilities[place, column])
            possible = prediction.basis[column] != "not_possible" and value == value
            threshold = prediction.thresholds[column]
            row = {
                "study": study,
                "finding": finding,
                "label": predicted.labels[column],
                "probability": value if possible else None,
                "basis": prediction.basis[column],
                "threshold": threshold,
                "above": value >= threshold if possible and threshold is not None else None,
                "calibrated": calibration[column] is not None,
            }
            rows.append(row)
    return rows


def _rejected(predicted: Predicted) -> list[dict[str, Any]]:
    """One row for each study without readable input, with the reason."""
    reasons = {study: reason for study, _, reason in predicted.rejected}
    return [
        {
            "study": study,
            "finding": "",
            "label": "",
            "probability": None,
            "basis": f"rejected: {reasons.get(study, 'nothing to read')}",
            "threshold": None,
            "above": None,
            "calibrated": False,
        }
        for study in predicted.lost
    ]
