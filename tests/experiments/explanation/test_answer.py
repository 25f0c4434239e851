"""Records of an answer: the verdict, and the box of a map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.explanation.answer import Certainty, Conformal, FindingAnswer, ImageMap
from experiments.records.record import Measured


def finding(probability: float | None, threshold: float | None, answers: Any = None) -> str:
    held = (
        None
        if answers is None
        else Conformal(0.9, frozenset(answers), Measured(0.9), Measured(0.9), 100)
    )
    certainty = Certainty(probability, calibrated=True, conformal=held)
    return FindingAnswer("ckg:x", "x", "trained", threshold, certainty).verdict


@pytest.mark.parametrize(
    ("probability", "threshold", "answers", "verdict"),
    [
        (0.7, 0.5, None, "present"),
        (0.5, 0.5, None, "present"),
        (0.3, 0.5, None, "absent"),
        (0.7, 0.5, {"present"}, "present"),
        (0.3, 0.5, {"absent"}, "absent"),
        (0.7, 0.5, {"present", "absent"}, "uncertain"),
        (0.7, 0.5, set(), "uncertain"),
        (0.7, 0.5, {"absent"}, "uncertain"),  # threshold and set contradict each other
        (0.7, None, None, "no threshold"),
        (None, 0.5, None, "not possible"),
    ],
)
def test_the_verdict(
    probability: float | None, threshold: float | None, answers: Any, verdict: str
) -> None:
    assert finding(probability, threshold, answers) == verdict


def test_the_box_holds_the_region_around_the_maximum_alone() -> None:
    values = np.zeros((10, 20))
    values[2:4, 5:8] = 0.6
    values[3, 6] = 1.0
    values[8, 15] = 0.9  # as strong, but elsewhere
    values[2, 4] = 0.4  # next to it, but below half
    box = ImageMap(0, "occlusion", values).box
    assert box == pytest.approx((5 / 20, 2 / 10, 8 / 20, 4 / 10))


@pytest.mark.parametrize("values", [np.zeros((4, 4)), -np.ones((4, 4))])
def test_a_map_without_anything_for_the_finding_has_no_box(values: Any) -> None:
    assert ImageMap(0, "occlusion", values).box is None
