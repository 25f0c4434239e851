"""Conformal sets: thresholds by hand, coverage on data of known odds, none from too little."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.explanation.conformal import LEVEL, conformal_sets, subsets_of
from experiments.metrics.bootstrap import Plan
from experiments.records.predictions import ScoredSubset

PLAN = Plan(resamples=50)


def subset(part: str, labels: list[float], scores: list[float]) -> ScoredSubset:
    names = tuple(f"{part}{row}" for row in range(len(labels)))
    columns = (np.array(values, dtype=np.float64)[:, None] for values in (labels, scores))
    return ScoredSubset(part, names, names, ("f",), *columns)


def test_thresholds_are_order_statistics_of_each_answer() -> None:
    absent = [0.01 * place for place in range(1, 20)]  # 19: rank ceil(20 * 0.9) = 18
    present = [0.5 + 0.01 * place for place in range(1, 20)]
    found = conformal_sets(
        subset("validation", [0.0] * 19 + [1.0] * 19, absent + present),
        subset("test", [1.0, 0.0, 1.0, np.nan], [0.6, 0.1, 0.3, 0.5]),
        PLAN,
    )["f"]
    assert found.absent == pytest.approx(0.18)
    assert found.present == pytest.approx(0.52)  # the second lowest of 19
    assert found.studies == 3
    assert found.covered.value == pytest.approx(2 / 3)
    assert found.covered_present.value == pytest.approx(1 / 2)
    assert found.abstained.value == pytest.approx(1 / 3)  # 0.3 is neither
    assert found.of(0.6).answers == {"present"}
    assert found.of(0.1).answers == {"absent"}
    assert found.of(0.3).answers == frozenset()


@pytest.mark.parametrize("overlap", [0.2, 1.0, 3.0])
def test_both_answers_are_covered_however_rare(overlap: float) -> None:
    rng = np.random.default_rng(0)

    def draw(part: str) -> ScoredSubset:
        labels = (rng.random(3000) < 0.3) * 1.0
        logits = labels * 2 + rng.normal(0, overlap, 3000)
        return subset(part, labels.tolist(), (1 / (1 + np.exp(-logits))).tolist())

    found = conformal_sets(draw("validation"), draw("test"), PLAN)["f"]
    assert found.covered.value == pytest.approx(LEVEL, abs=0.03)
    assert found.covered_present.value == pytest.approx(LEVEL, abs=0.05)


@pytest.mark.parametrize("positives", [0, 1, 8])
def test_too_few_of_an_answer_give_no_set(positives: int) -> None:
    labels = [1.0] * positives + [0.0] * 50
    scores = [0.9] * positives + [0.1] * 50
    both = subset("validation", labels, scores), subset("test", labels, scores)
    assert conformal_sets(*both, PLAN) == {}
    assert subsets_of(both[:1]) is None
    assert subsets_of(both) == both
