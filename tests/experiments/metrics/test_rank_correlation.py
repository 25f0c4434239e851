"""Rank correlation by hand, and where it is not defined."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.metrics.bootstrap import Plan
from experiments.metrics.rank_correlation import rank_correlation

QUICK = Plan(resamples=400)


def correlated(one, other):
    return rank_correlation(one, other, rng=np.random.default_rng(0), plan=QUICK)


def test_a_golden_number_and_ties() -> None:
    # ranks 1 2 3 4 5 against 2 1 4 3 5: sum of squared differences 4, 1 - 6 * 4 / (5 * 24)
    found = correlated([0.1, 0.2, 0.3, 0.4, 0.5], [20, 10, 40, 30, 50])
    assert found.value == pytest.approx(0.8)
    assert found.low <= found.value <= found.high <= 1.0
    # tied ranks 1.5 1.5 3 against 1 2 3: covariance 1.5 over the root of 1.5 times 2
    assert correlated([1, 1, 2], [1, 2, 3]).value == pytest.approx(1.5 / np.sqrt(1.5 * 2))


def test_few_findings_have_no_interval() -> None:
    found = correlated([0.1, 0.2, 0.3, 0.4], [2, 1, 4, 3])
    assert found.value == pytest.approx(0.6)
    assert np.isnan(found.low)


def test_what_does_not_vary_has_no_correlation() -> None:
    assert np.isnan(correlated([0.7, 0.8, 0.9], [1, 1, 1]).value)
    assert np.isnan(correlated([], []).value)
