"""Predictions as rows: what is possible, what is decided, and what was rejected."""

from __future__ import annotations

import numpy as np

from experiments.inference.predict import Predicted
from experiments.inference.prediction_rows import prediction_rows
from fusion.system import Prediction


def test_predictions_say_what_is_not_possible() -> None:
    prediction = Prediction(
        studies=("s1",),
        findings=("ckg:a", "ckg:b", "ckg:c"),
        probabilities=np.array([[0.7, np.nan, 0.2]]),
        basis=("trained", "not_possible", "zero_shot"),
        thresholds=(0.5, None, None),
        calibration=(1.5, None, None),
    )
    first, second, third = prediction_rows(Predicted(prediction, ("A", "B", "C")))
    assert (first["probability"], first["above"], first["calibrated"]) == (0.7, True, True)
    assert (second["probability"], second["above"]) == (None, None)
    assert (third["threshold"], third["above"], third["calibrated"]) == (None, None, False)
    assert [row["label"] for row in (first, second, third)] == ["A", "B", "C"]


def test_a_study_of_which_nothing_could_be_read_is_a_row_with_its_reason() -> None:
    nothing = Prediction((), ("ckg:a",), np.zeros((0, 1)), ("trained",), (0.5,))
    rejected = (("s1", "a.png", "empty"), ("s2", "b.png", "truncated"))
    made = Predicted(nothing, ("A",), rejected, lost=("s2", "s3"))
    rows = prediction_rows(made)
    assert [(row["study"], row["basis"]) for row in rows] == [
        ("s2", "rejected: truncated"),
        ("s3", "rejected: nothing to read"),
    ]
    assert all(row["probability"] is None for row in rows)
