"""Calibration: temperature scaling, Brier score, ECE, slope and reliability curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_softmax, logit, softmax

from experiments.metrics.arrays import FloatArray, mean_of_defined, paired_columns
from experiments.metrics.decisions import Thresholds, choose_thresholds

_EDGE = 1e-7
_COLDEST, _HOTTEST = 0.05, 20.0

Binning = Literal["width", "adaptive"]


def fit_temperature(
    labels: ArrayLike, probabilities: ArrayLike, *, shared: bool = False
) -> FloatArray:
    """Temperature of each finding that maximises the likelihood of validation labels, `[C]`.

    Logits are divided by it: above 1 softens, below 1 sharpens. It stays in [0.05, 20], and is
    1 for a finding whose validation labels lack a class.

    Args:
        labels: Validation labels, 1, 0 or NaN, `[n, C]`.
        probabilities: Validation probabilities, `[n, C]`.
        shared: One temperature for all findings instead of one each.
    """
    truth, score = paired_columns(labels, probabilities)
    columns = truth.shape[1]
    if shared:
        truth, score = truth.reshape(-1, 1), score.reshape(-1, 1)
    stated = ~np.isnan(truth)
    raw = np.where(stated, log_odds(score), 0.0)
    target = np.where(stated, truth, 0.0)

    def slope(sharpness: FloatArray) -> FloatArray:
        return np.asarray(np.sum((expit(raw * sharpness) - target) * raw * stated, axis=0))

    positives, total = target.sum(axis=0), stated.sum(axis=0)
    both = (positives > 0) & (positives < total)
    temperature = np.where(both, 1 / _rising_root(slope, truth.shape[1]), 1.0)
    return np.broadcast_to(temperature, (columns,)).copy()


def apply_temperature(probabilities: ArrayLike, temperature: ArrayLike) -> FloatArray:
    """Probabilities `[n, C]` with their logits divided by the temperatures `[C]`."""
    score = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(expit(log_odds(score) / np.asarray(temperature, dtype=np.float64)))


def fit_exclusive_temperature(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The one temperature of a softmax over an exclusive set; 1 without a complete row."""
    truth, score = paired_columns(labels, probabilities)
    complete = ~np.isnan(truth).any(axis=1)
    truth, raw = truth[complete], np.log(np.clip(score[complete], _EDGE, 1))
    if not len(truth):
        return 1.0

    def slope(sharpness: FloatArray) -> FloatArray:
        return np.array([np.sum((softmax(raw * sharpness, axis=1) - truth) * raw)])

    return float(1 / _rising_root(slope, 1)[0])


def apply_exclusive_temperature(probabilities: ArrayLike, temperature: float) -> FloatArray:
    """Probabilities of an exclusive set `[n, C]`, softened and summing to 1 again."""
    raw = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), _EDGE, 1))
    return np.asarray(np.exp(log_softmax(raw / temperature, axis=1)))


def brier(labels: ArrayLike, probabilities: ArrayLike) -> FloatArray:
    """Mean squared distance of probability and label of each finding, `[C]`."""
    truth, score = paired_columns(labels, probabilities)
    return mean_of_defined((score - truth) ** 2, axis=0)


@dataclass(frozen=True)
class Reliability:
    """Mean probability and observed frequency in bins of one finding, without empty bins.

    Args:
        said: Mean probability in each bin.
        seen: Share of positives in each bin.
        count: Rows in each bin.
    """

    said: FloatArray
    seen: FloatArray
    count: FloatArray

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of said and seen, weighted by rows."""
        if not len(self.count):
            return float("nan")
        return float(np.average(np.abs(self.said - self.seen), weights=self.count))


def reliability(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15, binning: Binning = "width"
) -> Reliability:
    """Reliability curve of one finding.

    Args:
        labels: 1, 0 or NaN, `[n]`.
        probabilities: `[n]`.
        bins: Number of bins.
        binning: Bins of equal width over [0, 1], or of equal numbers of rows; equal
            probabilities always share a bin.
    """
    truth, score = (column[:, 0] for column in paired_columns(labels, probabilities))
    stated = ~np.isnan(truth)
    truth, score = truth[stated], score[stated]
    if not len(truth):
        nothing = np.empty(0)
        return Reliability(nothing, nothing, nothing)
    if binning == "width":
        place = np.clip((score * bins).astype(np.intp), 0, bins - 1)
    else:
        edges = np.quantile(score, np.arange(1, bins) / bins)
        place = np.searchsorted(edges, score, side="left")
    count = np.bincount(place, minlength=bins).astype(np.float64)
    filled = count > 0
    said = np.bincount(place, weights=score, minlength=bins)[filled] / count[filled]
    seen = np.bincount(place, weights=truth, minlength=bins)[filled] / count[filled]
    return Reliability(said, seen, count[filled])


def calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15, binning: Binning = "width"
) -> FloatArray:
    """Expected calibration error of each finding, `[C]`; NaN where nothing is stated."""
    truth, score = paired_columns(labels, probabilities)
    return np.array(
        [
            reliability(truth[:, c], score[:, c], bins=bins, binning=binning).error
            for c in range(truth.shape[1])
        ]
    )


def calibration_line(labels: ArrayLike, probabilities: ArrayLike) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of one finding's label on its logit.

    A perfect forecast has slope 1 and intercept 0; a slope under 1 means overconfident.

    Returns:
        NaN twice where a class is missing or the logits separate the classes completely.
    """
    truth, score = (column[:, 0] for column in paired_columns(labels, probabilities))
    stated = ~np.isnan(truth)
    target, raw = truth[stated], log_odds(score[stated])
    unknown = float("nan"), float("nan")
    if not 0 < target.sum() < len(target) or np.ptp(raw) == 0:
        return unknown
    design = np.column_stack([raw, np.ones_like(raw)])
    weights = np.zeros(2)
    for _ in range(100):
        said = expit(design @ weights)
        curvature = design.T @ (design * (said * (1 - said))[:, None])
        if np.linalg.cond(curvature) > 1e12:
            return unknown
        step = np.linalg.solve(curvature, design.T @ (target - said))
        # A long first step of Newton can overshoot; a bounded one still ends at the optimum.
        weights = weights + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            return float(weights[0]), float(weights[1])
    return unknown


def _rising_root(slope: Callable[[FloatArray], FloatArray], columns: int) -> FloatArray:
    """Zero of a rising function of the sharpness `1 / T`, per column, by bisection."""
    low = np.full(columns, 1 / _HOTTEST)
    high = np.full(columns, 1 / _COLDEST)
    for _ in range(60):
        # Bisection in the logarithm, since sharpness spans orders of magnitude.
        middle = np.sqrt(low * high)
        above = slope(middle) > 0
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return np.asarray(np.sqrt(low * high))


def log_odds(probabilities: FloatArray) -> FloatArray:
    """Logits of probabilities kept off 0 and 1; NaN stays NaN."""
    return np.asarray(logit(np.clip(probabilities, _EDGE, 1 - _EDGE)))


@dataclass(frozen=True)
class Calibration:
    """Calibration of a system's probabilities on validation.

    Args:
        temperatures: One for each trained finding; one for all of an exclusive set.
        thresholds: Decision thresholds, with the patients they were chosen on.
        exclusive: True if the findings exclude each other.
    """

    temperatures: tuple[float, ...]
    thresholds: Thresholds
    exclusive: bool

    def apply(self, raw: FloatArray) -> FloatArray:
        """Calibrated probabilities `[n, C]` of the findings trained on."""
        if self.exclusive:
            return apply_exclusive_temperature(raw, self.temperatures[0])
        return apply_temperature(raw, self.temperatures)


def calibrate(
    labels: ArrayLike, raw: FloatArray, patients: Sequence[str], *, exclusive: bool
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
