"""Runs that predict together: the mean of their log-odds, as one system without seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.compare.align import align
from experiments.compare.compare import compare
from experiments.compare.runs import EnsembleRuns
from experiments.metrics.bootstrap import Plan
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset
from kg.errors import InputError

QUICK = Plan(resamples=50, at_least=1)
Crossed = Callable[..., list[RunFolder]]
Write = Callable[..., RunFolder]


def two(*rows: tuple[float, float, float]) -> Callable[[ScoredSubset], ScoredSubset]:
    """Two studies with these probabilities of the three findings."""

    def scored(subset: ScoredSubset) -> ScoredSubset:
        return replace(subset.at([0, 1]), probabilities=np.array(rows))

    return scored


def test_it_is_the_mean_of_log_odds_computed_by_hand(write: Write) -> None:
    # odds 4 and 1 have the mean log-odds of 2; 9 and 1/9 of 1; 3 and 27 of 9
    one = write("one", scored=two((0.8, 0.9, 3 / 4), (0.5, 1.0, np.nan)))
    other = write("other", scored=two((0.5, 0.1, 27 / 28), (0.5, 0.0, 0.5)))
    (arm,) = align({"both": EnsembleRuns((one, other))}).arms
    assert arm.scores.shape == (1, 2, 3)
    assert arm.scores[0] == pytest.approx(
        np.array([[2 / 3, 0.5, 0.9], [0.5, 0.5, np.nan]]), nan_ok=True
    )
    (alone,) = align({"one": EnsembleRuns((one,))}).arms
    assert alone.scores[0, 0] == pytest.approx([0.8, 0.9, 0.75])


def test_seeds_and_configurations_predict_together_over_folds(crossed: Crossed) -> None:
    full, names = crossed(seeds=2), crossed("names", seeds=1)
    groups = {"full": full, "all": EnsembleRuns((*names, *full)), "names": names}
    aligned = align(groups)
    by_name = {arm.name: arm for arm in aligned.arms}
    odds = [
        np.log(score / (1 - score))
        for score in (*by_name["full"].scores, *by_name["names"].scores)
        if not ((score == 0) | (score == 1)).any()
    ]
    assert len(odds) == 3
    expected = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
    assert by_name["all"].scores[0] == pytest.approx(expected)
    assert by_name["all"].folds == (0, 1)
    # three runs of 1000 parameters predict a study
    assert [by_name[name].parameters for name in groups] == [1000, 3000, 1000]


def test_it_is_paired_with_a_system_of_other_seeds(crossed: Crossed) -> None:
    full, names = crossed(seeds=2), crossed("names", seeds=1, lift=2.0)
    groups = {"full": full, "names": EnsembleRuns(names)}
    (gap, *_) = compare(groups, pairs=[("names", "full")], plan=QUICK).differences
    aligned = align(groups)
    alone = compare({"names": names}, plan=QUICK).entry("names").metrics["auroc_macro"].value
    whole = compare(groups, plan=QUICK).entry("full").metrics["auroc_macro"].value
    assert alone is not None
    assert whole is not None
    # one run of each fold: its order of studies is that of the run alone
    assert gap.value.value == pytest.approx(alone - whole)
    assert len(aligned.arms[1].scores) == 1


def test_a_run_too_few_is_refused(crossed: Crossed) -> None:
    full: list[Any] = crossed(seeds=2)
    with pytest.raises(InputError, match="all has 1 runs of one fold, and 2 of another"):
        align({"all": EnsembleRuns(full[:-1])})
    with pytest.raises(InputError, match="all has 0 runs of one fold"):
        align({"full": full, "all": EnsembleRuns(full[::2])})
