"""Decisions at thresholds: choice of thresholds on validation, and metrics of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import BoolArray, FloatArray, mean_of_defined, paired_columns, ratio
from kg.errors import InputError

Rule = Literal["f1", "youden", "sensitivity"]


@dataclass(frozen=True)
class Thresholds:
    """Decision thresholds, with the rule and the patients of their choice.

    Args:
        values: Threshold of each finding; NaN without one from validation.
        rule: Rule of the choice, in words.
        chosen_on: Patient groups of the choice; none of them may be tested. Empty if unknown.
    """

    values: tuple[float, ...]
    rule: str = ""
    chosen_on: frozenset[Any] = frozenset()

    def refuse(self, groups: Sequence[Any] | NDArray[Any]) -> None:
        """Check that no tested group was used to choose the thresholds.

        Raises:
            InputError: Where one was.
        """
        seen = self.chosen_on & set(np.asarray(groups).tolist())
        if seen:
            raise InputError(
                f"thresholds were chosen on {len(seen)} of the patient groups they are tested on",
                "choose thresholds on validation groups only",
            )


def choose_thresholds(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Sequence[Any] | NDArray[Any],
    *,
    rule: Rule = "f1",
    sensitivity: float = 0.9,
) -> Thresholds:
    """Choose each finding's threshold on validation studies.

    The threshold lies halfway between two neighbouring scores; among equals the highest wins.

    Args:
        labels: Validation labels, 1, 0 or NaN, `[n, C]`.
        probabilities: Validation probabilities, `[n, C]`.
        groups: Patient group of each row; kept, so that testing on them is refused.
        rule: Highest F1, highest sensitivity + specificity, or the highest threshold that
            reaches a fixed sensitivity.
        sensitivity: The sensitivity to reach.
    """
    truth, score = paired_columns(labels, probabilities)
    values = tuple(
        _choose(truth[:, c], score[:, c], rule, sensitivity) for c in range(truth.shape[1])
    )
    words = f"sensitivity >= {sensitivity:g}" if rule == "sensitivity" else rule
    chosen_on = frozenset(np.asarray(groups).tolist())
    return Thresholds(values, f"{words} on validation", chosen_on)


def _choose(truth: FloatArray, score: FloatArray, rule: Rule, sensitivity: float) -> float:
    """Threshold of one finding; NaN where validation lacks a class."""
    stated = ~np.isnan(truth)
    truth, score = truth[stated], score[stated]
    if not 0 < truth.sum() < len(truth):
        return float("nan")
    steps, which = np.unique(score, return_inverse=True)
    sick = np.bincount(which, weights=truth)[::-1].cumsum()
    well = np.bincount(which, weights=1 - truth)[::-1].cumsum()
    confusion = Confusion(sick, well, well[-1] - well, sick[-1] - sick)
    if rule == "sensitivity":
        best = int(np.argmax(confusion.sensitivity >= sensitivity))
    elif rule == "youden":
        best = int(np.argmax(confusion.sensitivity + confusion.specificity))
    else:
        best = int(np.argmax(confusion.f1))
    lowest = len(steps) - 1 - best
    return float((steps[lowest] + steps[lowest - 1]) / 2 if lowest else steps[0])


@dataclass(frozen=True)
class Confusion:
    """Counts of right and wrong answers, any shape `[...]`, and the rates they give.

    A rate is NaN if its denominator is 0.
    """

    true_positive: FloatArray
    false_positive: FloatArray
    true_negative: FloatArray
    false_negative: FloatArray

    @cached_property
    def sensitivity(self) -> FloatArray:
        """Share of positives called positive (recall)."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @cached_property
    def specificity(self) -> FloatArray:
        """Share of negatives called negative."""
        return ratio(self.true_negative, self.true_negative + self.false_positive)

    @cached_property
    def precision(self) -> FloatArray:
        """Positive predictive value."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @cached_property
    def negative_predictive_value(self) -> FloatArray:
        """Negative predictive value."""
        return ratio(self.true_negative, self.true_negative + self.false_negative)

    @cached_property
    def accuracy(self) -> FloatArray:
        """Share of right decisions."""
        right = self.true_positive + self.true_negative
        return ratio(right, right + self.false_positive + self.false_negative)

    @cached_property
    def f1(self) -> FloatArray:
        """Harmonic mean of sensitivity and precision; NaN without a positive."""
        twice = 2 * self.true_positive
        value = ratio(twice, twice + self.false_positive + self.false_negative)
        return np.where(self.true_positive + self.false_negative > 0, value, np.nan)

    @cached_property
    def mcc(self) -> FloatArray:
        """Matthews correlation; 0 where all answers are the same, NaN with one class stated."""
        tp, fp = self.true_positive, self.false_positive
        tn, fn = self.true_negative, self.false_negative
        root = np.sqrt((tp + fp) * (tn + fn)) * np.sqrt((tp + fn) * (tn + fp))
        value = np.divide(tp * tn - fp * fn, root, out=np.zeros(root.shape), where=root > 0)
        return np.where((tp + fn > 0) & (tn + fp > 0), value, np.nan)


def outcomes(labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike) -> BoolArray:
    """True and false positives, true and false negatives, `[4, n, C]`.

    A decision is positive if the probability is at least the threshold. All four are False if the
    label, the probability or the threshold is NaN.
    """
    truth, score = paired_columns(labels, probabilities)
    cut = np.asarray(thresholds, dtype=np.float64).reshape(1, -1)
    yes = score >= cut
    no = score < cut
    return np.stack([yes & (truth == 1), yes & (truth == 0), no & (truth == 0), no & (truth == 1)])


def confusion(labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike) -> Confusion:
    """Counts of each finding at its threshold, `[C]`."""
    tp, fp, tn, fn = outcomes(labels, probabilities, thresholds).sum(axis=1).astype(np.float64)
    return Confusion(tp, fp, tn, fn)


def confusion_matrix(labels: ArrayLike, probabilities: ArrayLike) -> FloatArray:
    """Counts of an exclusive set, `[C, C]`: true class by row, most probable class by column.

    Args:
        labels: Exactly one 1 in a row `[n, C]`; rows with a NaN are left out.
        probabilities: `[n, C]`; rows with a NaN are left out.

    Raises:
        ValueError: Where a row does not have exactly one positive.
    """
    truth, answer = true_and_answered(labels, probabilities)
    size = np.asarray(labels).shape[1]
    flat = np.bincount(truth * size + answer, minlength=size * size)
    return flat.reshape(size, size).astype(np.float64)


def true_and_answered(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """True and most probable class of each complete row of an exclusive set, `[m]` each."""
    truth, score = paired_columns(labels, probabilities)
    complete = ~np.isnan(truth).any(axis=1)
    truth, score = truth[complete], score[complete]
    if not np.all(truth.sum(axis=1) == 1):
        raise ValueError("an exclusive set has exactly one positive in each row")
    return truth.argmax(axis=1), score.argmax(axis=1)


def accuracy(matrix: FloatArray) -> float:
    """Share of the diagonal of a confusion matrix."""
    return float(ratio(np.trace(matrix), matrix.sum()))


def balanced_accuracy(matrix: FloatArray) -> float:
    """Mean sensitivity of the classes that occur."""
    return float(mean_of_defined(ratio(np.diag(matrix), matrix.sum(axis=1))))
