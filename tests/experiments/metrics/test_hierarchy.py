"""Agreement of answers, counted by hand."""

from functools import partial

import numpy as np
import pytest

from experiments.metrics import hierarchy
from experiments.metrics.bootstrap import Plan

PLAN = Plan(resamples=400)


def consistency(said, pairs, groups=None, tolerance=0.0):
    return hierarchy.consistency(
        said,
        pairs,
        groups or range(len(said)),
        tolerance=tolerance,
        rng=np.random.default_rng(0),
        plan=PLAN,
    )


no_finding_agreement = partial(
    hierarchy.no_finding_agreement, rng=np.random.default_rng(0), plan=PLAN
)


def test_a_child_is_at_most_as_probable_as_its_parent():
    said = [[0.2, 0.5], [0.6, 0.5], [0.5, 0.5], [np.nan, 0.1]]
    assert consistency(said, [(0, 1)]).value == pytest.approx(2 / 3)
    assert consistency(said, [(0, 1)], tolerance=0.11).value == 1
    assert consistency(said, [(0, 1), (1, 0)]).value == pytest.approx(4 / 6)
    assert np.isnan(consistency(said, []).value)


def test_the_interval_is_over_patients():
    # one patient in whom all disagree, one in whom all agree: a resample has none, half or all
    said = [[0.9, 0.5]] * 10 + [[0.1, 0.5]] * 10
    rate = consistency(said, [(0, 1)], groups=["a"] * 10 + ["b"] * 10)
    assert (rate.low, rate.value, rate.high) == (0, 0.5, 1)
    apart = consistency(said, [(0, 1)])
    assert 0.2 < apart.low < 0.4
    assert 0.6 < apart.high < 0.8


def test_no_finding_contradicts_a_finding():
    # both, neither, a finding alone, No Finding alone
    said = [[0.9, 0.8, 0.1], [0.4, 0.3, 0.1], [0.1, 0.9, 0.9], [0.7, 0.1, 0.2]]
    cuts = [0.5, 0.5, 0.5]
    rates = no_finding_agreement(said, cuts, (0, [1, 2]), range(4))
    assert rates.contradiction.value == pytest.approx(1 / 4)
    assert rates.neither.value == pytest.approx(1 / 4)
    higher = no_finding_agreement(said, [0.5, 0.85, 0.5], (0, [1, 2]), range(4))
    assert (higher.contradiction.value, higher.neither.value) == (0, pytest.approx(1 / 4))


def test_an_answer_without_a_decision_is_not_judged():
    said = [[0.9, 0.8, 0.1], [0.9, np.nan, 0.6], [np.nan, 0.9, 0.9], [0.9, np.nan, np.nan]]
    rates = no_finding_agreement(said, [0.5, 0.5, 0.5], (0, [1, 2]), range(4))
    assert rates.contradiction.value == 1  # of the first two; the others are not judged
    blind = no_finding_agreement(said, [0.5, np.nan, 0.5], (0, [1, 2]), range(4))
    assert blind.contradiction.value == pytest.approx(1 / 2)
    none = no_finding_agreement(said, [np.nan, 0.5, 0.5], (0, [1, 2]), range(4))
    assert np.isnan(none.contradiction.value)
    assert np.isnan(none.neither.low)
