"""Metrics of sums: a resample is its patients' studies repeated, systems are paired on them."""

import numpy as np
import pytest

from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan, Sample
from experiments.metrics.sums import (
    StudySums,
    measure,
    measure_difference,
    resample,
    share,
)
from kg.errors import InputError


def numbers(seed, rows=60):
    rng = np.random.default_rng(seed)
    hit = rng.random(rows) < 0.4
    return StudySums.of({"hit": hit, "n": np.ones(rows), "rank": rng.integers(1, 20, rows)})


def f_of_squares(studies):
    """Not a mean: the root of a ratio of sums."""
    return np.sqrt(studies["rank"] / studies["n"])


METRICS = {
    "rate": share("hit", "n"),
    "root": f_of_squares,
    "median": lambda studies: studies.median("rank", among="n"),
    "median of hits": lambda studies: studies.median("rank", among="hit"),
}


def by_hand(sums, rows):
    hit, rank = sums["hit"][rows], sums["rank"][rows]
    return [
        hit.mean(),
        np.sqrt(rank.mean()),
        np.median(rank),
        np.median(rank[hit > 0]) if hit.any() else np.nan,
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_resample_is_the_studies_of_its_patients_repeated(seed):
    sums = numbers(seed)
    groups = np.random.default_rng(seed + 9).integers(0, 25, 60)
    units = Units(groups)
    sample = Sample.draw(units, Plan(resamples=40, method="bca"), np.random.default_rng(1))
    found = resample(sample, sums, list(METRICS.values()))
    np.testing.assert_allclose(found.values, by_hand(sums, np.arange(60)))
    for r, counts in enumerate(sample.counts):
        rows = np.repeat(np.arange(60), counts[units.member])
        np.testing.assert_allclose(found.drawn[r], by_hand(sums, rows))
    for g in range(units.count):
        rows = np.flatnonzero(units.member != g)
        np.testing.assert_allclose(found.without[g], by_hand(sums, rows))


def test_a_mean_has_the_interval_of_a_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(5, 2, 400)
    sums = StudySums.of({"x": values, "n": np.ones(400)})
    plan = Plan(resamples=4000)
    found = measure(sums, {"mean": share("x", "n")}, np.arange(400), rng=rng, plan=plan)["mean"]
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_studies_of_a_patient_hang_together():
    """Ten copies of a study tell nothing new."""
    base = numbers(3, rows=40)
    copied = StudySums(base.names, np.repeat(base.values, 10, axis=0))
    plan = Plan(resamples=500)
    one = measure(base, METRICS, np.arange(40), rng=np.random.default_rng(0), plan=plan)
    ten = measure(
        copied, METRICS, np.repeat(np.arange(40), 10), rng=np.random.default_rng(0), plan=plan
    )
    for name in METRICS:
        assert (ten[name].low, ten[name].high) == pytest.approx((one[name].low, one[name].high))
    alone = measure(copied, METRICS, np.arange(400), rng=np.random.default_rng(0), plan=plan)
    assert alone["rate"].high - alone["rate"].low < (one["rate"].high - one["rate"].low) / 2


def test_patients_are_drawn_within_their_fold():
    sums = StudySums.of({"x": np.repeat([0.0, 1.0], 20), "n": np.ones(40)})
    units = Units(np.arange(40), folds=np.repeat([0, 1], 20))
    found = measure(sums, {"mean": share("x", "n")}, units, rng=np.random.default_rng(0))["mean"]
    assert (found.low, found.high) == (0.5, 0.5)  # each fold keeps its size
    with pytest.raises(InputError, match="two folds"):
        Units(["a", "a"], folds=[0, 1])


def test_a_system_against_itself_differs_in_nothing():
    sums = numbers(5)
    for gap in measure_difference(
        (sums, sums), METRICS, np.arange(60), rng=np.random.default_rng(0)
    ).values():
        assert (gap.delta, gap.low, gap.high, gap.p) == (0.0, 0.0, 0.0, 1.0)


def test_pairing_makes_a_small_constant_gain_certain():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 5, 100)
    low, high = (StudySums.of({"x": values + gain, "n": np.ones(100)}) for gain in (0.0, 0.1))
    metrics = {"mean": share("x", "n")}
    gap = measure_difference((high, low), metrics, np.arange(100), rng=rng)["mean"]
    assert gap.delta == pytest.approx(0.1)
    assert gap.low == pytest.approx(0.1)
    assert gap.p < 0.01
    back = measure_difference((low, high), metrics, np.arange(100), rng=rng)["mean"]
    assert back.delta == pytest.approx(-0.1)


def test_no_difference_is_found_about_as_often_as_the_level_says():
    shown = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pair = tuple(StudySums.of({"x": rng.random(50) < 0.5, "n": np.ones(50)}) for _ in range(2))
        plan = Plan(resamples=300)
        gap = measure_difference(
            pair, {"mean": share("x", "n")}, np.arange(50), rng=rng, plan=plan
        )["mean"]
        shown += not gap.low <= 0 <= gap.high
    assert shown <= 22  # 5% of 200, and chance


def test_what_is_undefined_has_no_interval():
    sums = StudySums.of({"x": np.zeros(5), "n": np.zeros(5)})
    metrics = {"mean": share("x", "n"), "middle": lambda w: w.median("x", among="n")}
    for found in measure(sums, metrics, np.arange(5), rng=np.random.default_rng(0)).values():
        assert np.isnan([found.value, found.low, found.high]).all()


def test_seeds_are_averaged_study_by_study():
    one, two = numbers(0), numbers(1)
    both = StudySums.mean([one, two])
    np.testing.assert_allclose(both["rank"], (one["rank"] + two["rank"]) / 2)
    with pytest.raises(ValueError, match="different numbers"):
        StudySums.mean([one, StudySums.of({"x": np.ones(60)})])


def test_numbers_about_the_same_studies_are_joined():
    joined = numbers(0) | StudySums.of({"y": np.arange(60)})
    assert joined.names == ("hit", "n", "rank", "y")
    assert joined["y"].tolist() == list(range(60))
    with pytest.raises(ValueError, match="twice"):
        numbers(0) | numbers(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1.0, np.nan]]), "missing"),
        (np.array([[1.0, np.inf]]), "infinite"),
        (np.ones((3, 3)), "do not fit"),
        (np.ones(3), "do not fit"),
    ],
)
def test_numbers_must_be_there(values, message):
    with pytest.raises(ValueError, match=message):
        StudySums(("a", "b"), values)
