"""Temperature, Brier, ECE and the calibration line on cases with a known answer."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from experiments.metrics.calibration import (
    apply_exclusive_temperature,
    apply_temperature,
    brier,
    calibration_error,
    calibration_line,
    fit_exclusive_temperature,
    fit_temperature,
    reliability,
)


def overconfident(rows=4000, factor=3.0, seed=0):
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(rows, 2))
    labels = (rng.random(honest.shape) < expit(honest)).astype(float)
    return labels, expit(factor * honest)


def test_temperature_undoes_overconfidence():
    labels, said = overconfident()
    temperature = fit_temperature(labels, said)
    assert temperature == pytest.approx([3, 3], rel=0.1)
    mended = apply_temperature(said, temperature)
    assert (calibration_error(labels, mended) < calibration_error(labels, said) / 3).all()
    assert fit_temperature(labels, said, shared=True) == pytest.approx([3, 3], rel=0.08)


@pytest.mark.parametrize("seed", range(4))
def test_temperature_is_the_likeliest(seed):
    labels, said = overconfident(200, 2.0, seed)
    raw = logit(said[:, 0])
    best = minimize_scalar(
        lambda t: log_loss(labels[:, 0], expit(raw / t)), bounds=(0.05, 20), method="bounded"
    )
    assert fit_temperature(labels, said)[0] == pytest.approx(best.x, abs=1e-3)


def test_temperature_with_gaps_and_lone_classes():
    labels, said = overconfident()
    gaps = labels.copy()
    gaps[::3, 0] = np.nan
    gaps[:, 1] = 1
    assert fit_temperature(gaps, said)[0] == pytest.approx(
        fit_temperature(labels[gaps[:, 0] >= 0], said[gaps[:, 0] >= 0])[0]
    )
    assert fit_temperature(gaps, said)[1] == 1
    assert fit_temperature([np.nan, np.nan], [0.1, 0.2]) == 1
    # Perfectly parted classes would sharpen for ever; the bound holds.
    assert fit_temperature([0, 1], [0.1, 0.9])[0] == pytest.approx(0.05)


def test_scaling_keeps_order_nan_and_the_ends():
    said = np.array([[0.0, np.nan], [0.4, 0.5], [1.0, 0.9]])
    mended = apply_temperature(said, [2.0, 2.0])
    assert (np.diff(mended[:, 0]) > 0).all()
    assert np.isnan(mended[0, 1])
    assert mended[1, 1] == pytest.approx(0.5)


def test_exclusive_temperature():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(5000, 3))
    truth = [rng.choice(3, p=row) for row in softmax(honest, axis=1)]
    said = softmax(2.5 * honest, axis=1)
    temperature = fit_exclusive_temperature(np.eye(3)[truth], said)
    assert temperature == pytest.approx(2.5, rel=0.08)
    mended = apply_exclusive_temperature(said, 2.5)
    assert mended == pytest.approx(softmax(honest, axis=1), abs=1e-4)
    assert fit_exclusive_temperature([[np.nan, 1]], [[0.5, 0.5]]) == 1


def test_brier():
    assert brier([1, 0, np.nan], [0.8, 0.4, 0.9])[0] == pytest.approx((0.04 + 0.16) / 2)
    labels, said = overconfident()
    assert brier(labels, said)[0] == pytest.approx(brier_score_loss(labels[:, 0], said[:, 0]))


def test_ece_by_hand():
    # Bins of 1/15: 0.1 and 0.1 share one (seen 1/2), 0.9 is alone (seen 1).
    labels, said = [0, 1, 1, np.nan], [0.1, 0.1, 0.9, 0.5]
    assert calibration_error(labels, said)[0] == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.1)
    assert np.isnan(calibration_error([np.nan], [0.2])[0])


def test_a_probability_of_one_has_a_bin():
    assert calibration_error([1, 1], [1.0, 1.0])[0] == 0
    assert reliability([1, 0], [1.0, 0.0]).count.tolist() == [1, 1]


@pytest.mark.parametrize(("binning", "strategy"), [("width", "uniform"), ("adaptive", "quantile")])
def test_reliability_points_are_what_scikit_learn_says(binning, strategy):
    labels, said = overconfident(600)
    points = reliability(labels[:, 0], said[:, 0], bins=10, binning=binning)
    seen, mean = calibration_curve(labels[:, 0], said[:, 0], n_bins=10, strategy=strategy)
    assert points.said == pytest.approx(mean)
    assert points.seen == pytest.approx(seen)
    assert points.count.sum() == 600


def test_calibration_line():
    labels, said = overconfident()
    slope, intercept = calibration_line(labels[:, 0], said[:, 0])
    assert slope == pytest.approx(1 / 3, rel=0.1)
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(logit(said[:, :1]), labels[:, 0])
    assert slope == pytest.approx(oracle.coef_[0, 0], abs=1e-3)
    assert intercept == pytest.approx(oracle.intercept_[0], abs=1e-3)


def test_calibration_line_that_does_not_exist():
    assert np.isnan(calibration_line([0, 0], [0.1, 0.2])).all()
    assert np.isnan(calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])).all()
    assert np.isnan(calibration_line([0, 1], [0.5, 0.5])).all()
