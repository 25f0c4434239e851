"""DeLong's variance: a published table, a case by hand, and the definition by brute force."""

import numpy as np
import pytest
from scipy.special import ndtr

from experiments.metrics.delong import delong


def test_hanley_and_mcneil_ratings():
    """CT readings of Hanley and McNeil (Radiology 1982), 58 normal and 51 abnormal.

    Printed: area 0.893 by trapezoids; with DeLong's standard error (0.0307) statistical packages
    print the interval 0.83295-0.95339.
    """
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.repeat(np.tile([1, 2, 3, 4, 5], 2), normal + abnormal)
    labels = np.repeat([0.0, 1.0], [58, 51])
    result = delong(labels, ratings)
    interval = result.interval()
    assert interval.value == pytest.approx(0.8932, abs=5e-5)
    assert np.sqrt(result.covariance[0, 0]) == pytest.approx(0.0307, abs=5e-5)
    assert (interval.low, interval.high) == pytest.approx((0.83295, 0.95339), abs=5e-6)


def test_by_hand():
    # Positives 3, 1; negatives 2, 0. Placements of positives: 1, 1/2; of negatives: 1/2, 1.
    # Sample variance of each is 1/8; over two rows each: 1/16 + 1/16.
    result = delong([1, 1, 0, 0], [3, 1, 2, 0])
    assert result.auroc[0] == 0.75
    assert result.covariance[0, 0] == pytest.approx(1 / 8)


def by_definition(labels, scores):
    """Structural components pair by pair."""
    sick, well = scores[:, labels == 1], scores[:, labels == 0]
    wins = (sick[:, :, None] > well[:, None, :]) + 0.5 * (sick[:, :, None] == well[:, None, :])
    return wins.mean(axis=(1, 2)), (
        np.cov(wins.mean(axis=2)) / sick.shape[1] + np.cov(wins.mean(axis=1)) / well.shape[1]
    )


@pytest.mark.parametrize("seed", range(6))
def test_brute_force(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(70) < 0.3).astype(float)
    scores = np.round(rng.normal(size=(3, 70)) + labels, 1)
    result = delong(labels, scores)
    auroc, covariance = by_definition(labels, scores)
    assert result.auroc == pytest.approx(auroc)
    assert result.covariance == pytest.approx(covariance)
    test = result.difference(0, 1)
    deviation = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert test.p == pytest.approx(2 * ndtr(-abs(auroc[0] - auroc[1]) / deviation))
    assert test.high - test.delta == pytest.approx(1.959964 * deviation, rel=1e-6)


def test_a_row_with_a_gap_is_left_out_for_all():
    labels = np.array([1, 0, 1, 0, np.nan, 1])
    scores = np.array([[3, 1, 2, 2, 9, np.nan], [1, 2, 3, 0, 9, 4.0]])
    kept = delong(labels[:4], scores[:, :4])
    assert delong(labels, scores).covariance == pytest.approx(kept.covariance)


def test_clusters_of_one_are_delong_and_copies_add_nothing():
    rng = np.random.default_rng(0)
    labels = (rng.random(50) < 0.4).astype(float)
    scores = rng.normal(size=50) + labels
    plain = delong(labels, scores)
    assert delong(labels, scores, np.arange(50)).covariance == pytest.approx(plain.covariance)
    twice = delong(np.tile(labels, 2), np.tile(scores, 2), np.tile(np.arange(50), 2))
    assert twice.covariance == pytest.approx(plain.covariance)


def test_clustered_variance_is_that_of_repeated_sampling():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(80), 3)
    areas, variances = [], []
    for _ in range(400):
        labels = (rng.random(240) < 0.4).astype(float)
        scores = labels + rng.normal(size=80)[groups] + 0.3 * rng.normal(size=240)
        result = delong(labels, scores, groups)
        areas.append(result.auroc[0])
        variances.append(result.covariance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.15)


def test_what_cannot_be_said_is_nan():
    assert np.isnan(delong([1, 1], [0.1, 0.2]).interval().value)
    lone = delong([1, 0, 0], [0.3, 0.1, 0.2]).interval()
    assert lone.value == 1
    assert np.isnan(lone.low)
    same = delong([1, 0, 1, 0], np.array([[3, 1, 2, 2]] * 2)).difference()
    assert (same.delta, same.p) == (0, 1)
