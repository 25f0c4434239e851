"""Ordered grades against sklearn, and what is not graded."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, roc_auc_score

from experiments.metrics.ordinal import cumulative, ordinal_metrics, ordinal_sums, steps_of
from experiments.metrics.ranking import auroc
from experiments.metrics.sums import measure


def graded(seed, rows=80, size=4):
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, size, rows).astype(float)
    near = -((np.arange(size) - grades[:, None]) ** 2) + rng.normal(0, 1.5, (rows, size))
    chance = np.exp(near)
    return grades, chance / chance.sum(axis=1, keepdims=True)


def values(grades, chance):
    found = measure(
        ordinal_sums(grades, chance),
        ordinal_metrics(chance.shape[1]),
        np.arange(len(grades)),
        rng=np.random.default_rng(0),
    )
    return {name: each.value for name, each in found.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [2, 3, 4])
def test_it_agrees_with_sklearn(seed, size):
    grades, chance = graded(seed, size=size)
    found = values(grades, chance)
    answer = chance.argmax(axis=1)
    kappa = cohen_kappa_score(grades, answer, weights="quadratic", labels=np.arange(size))
    assert found["kappa_quadratic"] == pytest.approx(kappa)
    assert found["accuracy"] == pytest.approx(accuracy_score(grades, answer))
    mean = chance @ np.arange(size)
    assert found["squared_error"] == pytest.approx(((grades - mean) ** 2).mean())
    labels, scores = cumulative(grades, chance)
    expected = [
        roc_auc_score(grades >= step, chance[:, step:].sum(axis=1)) for step in range(1, size)
    ]
    assert auroc(labels, scores) == pytest.approx(expected)


def test_squared_error_by_hand():
    found = values([0.0, 2.0], np.array([[1.0, 0, 0], [0.5, 0, 0.5]]))
    assert found["squared_error"] == pytest.approx(0.5)


def test_who_is_not_graded_does_not_count():
    grades, chance = graded(0)
    more = np.append(grades, [np.nan, np.nan])
    wide = np.vstack([chance, [[1, 0, 0, 0], [0, 0, 0, 1]]])
    assert values(more, wide) == pytest.approx(values(grades, chance))
    labels, _ = cumulative(more, wide)
    assert np.isnan(labels[-2:]).all()
    assert not np.isnan(labels[:-2]).any()


def test_one_grade_for_all_has_no_kappa():
    chance = np.tile([0.1, 0.8, 0.1], (4, 1))
    assert np.isnan(values(np.ones(4), chance)["kappa_quadratic"])
    assert values([0.0, 1, 2, 1], chance)["kappa_quadratic"] == pytest.approx(0.0)


def test_steps_are_named():
    assert steps_of(("none", "mild", "severe")) == ("at least mild", "at least severe")


@pytest.mark.parametrize("grades", [[0.0, 3.0], [0.5, 1.0], [-1.0, 0.0], [0.0]])
def test_what_is_no_grade_is_refused(grades):
    with pytest.raises(ValueError, match=r"grade"):
        ordinal_sums(grades, np.full((2, 3), 1 / 3))
