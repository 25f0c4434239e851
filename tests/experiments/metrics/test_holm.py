"""Holm's correction against the worked example and its definition."""

import numpy as np
import pytest

from experiments.metrics.holm import holm


def test_holm_by_hand():
    # sorted: .005*4, .01*3, .03*2, .04*1 and never less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_what_was_not_tested_is_not_counted():
    found = holm([0.02, np.nan, 0.5])
    assert found[0] == pytest.approx(0.04)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(0.5)


def test_holm_never_exceeds_one_and_may_be_empty():
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_a_rejection_after_holm_is_one_of_the_step_down_procedure():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(6) ** 3
        rejected = set()
        for step, place in enumerate(np.argsort(p)):
            if p[place] > 0.05 / (len(p) - step):
                break
            rejected.add(int(place))
        assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected
