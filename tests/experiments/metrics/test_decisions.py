"""Thresholds and rates by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from experiments.metrics.decisions import (
    Thresholds,
    accuracy,
    balanced_accuracy,
    choose_thresholds,
    confusion,
    confusion_matrix,
)
from kg.errors import InputError

LABELS = [1, 0, 1, 0, 0, np.nan]
SCORES = [0.9, 0.8, 0.6, 0.4, 0.2, 0.7]


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        # At 0.6 both positives are found with one false alarm: F1 0.8; it is the best.
        ("f1", 0.5),
        # Sensitivity + specificity: 1/2 + 1 at 0.9, 1 + 2/3 at 0.6.
        ("youden", 0.5),
        # Half of the positives are enough: the highest threshold that finds one.
        ("sensitivity", 0.85),
    ],
)
def test_thresholds_by_hand(rule, threshold):
    chosen = choose_thresholds(LABELS, SCORES, list("abcdef"), rule=rule, sensitivity=0.5)
    assert chosen.values[0] == pytest.approx(threshold)
    assert "validation" in chosen.rule


@pytest.mark.parametrize("seed", range(8))
def test_no_other_threshold_has_a_better_f1(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(80) < 0.3).astype(float)
    scores = np.round(np.clip(rng.normal(0.4, 0.2, 80) + 0.2 * labels, 0, 1), 2)
    cut = choose_thresholds(labels, scores, range(80)).values
    best = max(sk.f1_score(labels, scores >= value) for value in scores)
    assert confusion(labels, scores, cut).f1[0] == pytest.approx(best)


def test_a_lone_class_has_no_threshold():
    chosen = choose_thresholds([[1, 0], [1, 1]], [[0.2, 0.1], [0.3, 0.4]], ["a", "b"])
    assert np.isnan(chosen.values[0])
    assert chosen.values[1] == pytest.approx(0.25)


def test_a_constant_score_says_yes_to_all():
    assert choose_thresholds([1, 0, 0], [0.3, 0.3, 0.3], "abc").values == (0.3,)


def test_thresholds_of_tested_patients_are_refused():
    chosen = choose_thresholds(LABELS, SCORES, list("abcdef"))
    chosen.refuse(["x", "y"])
    with pytest.raises(InputError, match="1 of the patient groups"):
        chosen.refuse(["x", "a"])
    Thresholds((0.5,)).refuse(["a"])


def test_rates_by_hand():
    rates = confusion(LABELS, SCORES, [0.5])
    counts = (rates.true_positive, rates.false_positive, rates.true_negative, rates.false_negative)
    assert [c[0] for c in counts] == [2, 1, 2, 0]
    assert rates.sensitivity[0] == 1
    assert rates.specificity[0] == 2 / 3
    assert rates.precision[0] == 2 / 3
    assert rates.negative_predictive_value[0] == 1
    assert rates.accuracy[0] == 4 / 5
    assert rates.f1[0] == pytest.approx(0.8)
    assert rates.mcc[0] == pytest.approx(2 / 3)  # (2*2 - 1*0) / sqrt(3 * 2 * 2 * 3)


@pytest.mark.parametrize("seed", range(10))
def test_rates_are_what_scikit_learn_says(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 3)) < 0.4).astype(float)
    scores = rng.random((60, 3))
    cuts = rng.random(3)
    rates = confusion(labels, scores, cuts)
    for c in range(3):
        truth, yes = labels[:, c], scores[:, c] >= cuts[c]
        assert rates.f1[c] == pytest.approx(sk.f1_score(truth, yes))
        assert rates.mcc[c] == pytest.approx(sk.matthews_corrcoef(truth, yes))
        assert rates.accuracy[c] == pytest.approx(sk.accuracy_score(truth, yes))
        assert rates.sensitivity[c] == pytest.approx(sk.recall_score(truth, yes))
        if yes.any():
            assert rates.precision[c] == pytest.approx(sk.precision_score(truth, yes))


def test_no_threshold_no_decision():
    rates = confusion(LABELS, SCORES, [np.nan])
    assert np.isnan([rates.f1[0], rates.accuracy[0], rates.mcc[0]]).all()


def test_exclusive_set():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 90)
    truth[:60] = 0
    scores = rng.random((90, 3)) + np.eye(3)[truth] * 0.3
    matrix = confusion_matrix(np.eye(3)[truth], scores)
    assert matrix.tolist() == sk.confusion_matrix(truth, scores.argmax(axis=1)).tolist()
    assert accuracy(matrix) == sk.accuracy_score(truth, scores.argmax(axis=1))
    assert balanced_accuracy(matrix) == pytest.approx(
        sk.balanced_accuracy_score(truth, scores.argmax(axis=1))
    )


def test_an_exclusive_row_with_two_classes_is_refused():
    with pytest.raises(ValueError, match="exactly one"):
        confusion_matrix([[1, 1]], [[0.2, 0.8]])
