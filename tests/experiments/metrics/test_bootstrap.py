"""Intervals over patients: right, honest, seeded and fast."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import average_precision_score, roc_auc_score

from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import (
    Plan,
    bootstrap,
    draw_counts,
    estimate,
    paired,
    replicates,
)
from kg.errors import InputError


def table(seed, rows=120, columns=3, lift=1.0):
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < 0.3).astype(float)
    scores = np.round(rng.normal(size=labels.shape) + lift * labels, 1)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    return labels, scores, rng.integers(0, rows // 2, rows)


@pytest.mark.parametrize(
    ("name", "oracle"), [("auroc", roc_auc_score), ("auprc", average_precision_score)]
)
def test_a_resample_is_the_rows_of_its_groups_repeated(name, oracle):
    labels, scores, groups = table(0)
    units = Units(groups)
    counts = draw_counts(units, 25, np.random.default_rng(1))
    drawn = replicates(labels, scores, units, counts, name)
    for r, row in enumerate(counts):
        rows = np.repeat(np.arange(len(labels)), row[units.member])
        for c in range(labels.shape[1]):
            kept = rows[~np.isnan(labels[rows, c])]
            assert drawn[r, c] == pytest.approx(oracle(labels[kept, c], scores[kept, c]))


def test_groups_are_drawn_within_their_fold():
    groups = np.array(["a", "a", "b", "c", "d", "e"])
    units = Units(groups, folds=[0, 0, 0, 1, 1, 1])
    counts = draw_counts(units, 50, np.random.default_rng(0))
    assert counts[:, :2].sum(axis=1).tolist() == [2] * 50
    assert counts[:, 2:].sum(axis=1).tolist() == [3] * 50


def test_a_group_in_two_folds_is_refused():
    with pytest.raises(InputError, match="two folds"):
        Units(["a", "a"], folds=[0, 1])


def test_folds_and_parts_are_never_ranked_together():
    labels, scores, groups = table(2, rows=240)
    rng = np.random.default_rng(0)
    folds = groups % 3
    parts = rng.choice(["cxr", "ct"], len(groups))
    value = bootstrap(
        labels,
        scores + 100 * folds[:, None] + 1000 * (parts == "ct")[:, None],
        Units(groups, folds=folds, modalities=parts),
        rng=rng,
        plan=Plan(resamples=10),
    )
    for c in range(labels.shape[1]):
        within = [
            np.mean([_plain(labels[here, c], scores[here, c]) for here in cells])
            for cells in (
                [(parts == part) & (folds == fold) for fold in range(3)] for part in ("cxr", "ct")
            )
        ]
        assert value.findings[c].value == pytest.approx(np.mean(within))


def _plain(labels, scores):
    kept = ~np.isnan(labels)
    return roc_auc_score(labels[kept], scores[kept])


def test_the_same_seed_gives_the_same_interval():
    labels, scores, groups = table(1)
    one, two = (bootstrap(labels, scores, groups, rng=np.random.default_rng(7)) for _ in range(2))
    assert one == two
    assert one.macro.low < one.macro.value < one.macro.high


def test_rare_findings_are_not_averaged():
    labels, scores, groups = table(4, rows=200)
    labels[:, 0] = np.where(np.arange(200) < 19, 1.0, 0.0)
    result = bootstrap(labels, scores, groups, rng=np.random.default_rng(0))
    assert result.averaged == (1, 2)
    assert result.macro.value == pytest.approx(
        (result.findings[1].value + result.findings[2].value) / 2
    )
    # the mean over all has it too, with an interval
    assert result.leaves_out
    assert result.measured == (0, 1, 2)
    assert result.macro_all.value == pytest.approx(np.mean([one.value for one in result.findings]))
    assert result.macro_all.low < result.macro_all.value < result.macro_all.high
    every = bootstrap(labels, scores, groups, rng=np.random.default_rng(0), plan=Plan(at_least=1))
    assert every.macro == every.macro_all == result.macro_all
    assert not every.leaves_out


@pytest.mark.parametrize("name", ["auroc", "auprc"])
@pytest.mark.parametrize("always", [(0,), (0, 2), (0, 1, 2)])
def test_findings_without_negatives_are_not_averaged(name, always):
    labels, scores, groups = table(4, rows=200)
    labels[:, always] = 1
    result = bootstrap(labels, scores, groups, rng=np.random.default_rng(0), name=name)
    others = [one.value for c, one in enumerate(result.findings) if c not in always]
    assert all(np.isnan(result.findings[c].value) for c in always)
    assert result.macro.value == pytest.approx(np.mean(others) if others else np.nan, nan_ok=True)


def test_a_fold_without_negatives_is_no_part_of_the_mean():
    labels, scores = np.array([1, 0, 1, 0, 1, 1, 1.0]), np.array([0.1, 0.4, 0.3, 0.2, 0.9, 0.8, 1])
    units = Units(np.arange(7), folds=np.array([0, 0, 0, 0, 1, 1, 1]))
    plan = Plan(resamples=20, at_least=1)
    both, first = (
        bootstrap(
            truth, scores[: len(truth)], of, rng=np.random.default_rng(0), name="auprc", plan=plan
        )
        .findings[0]
        .value
        for truth, of in ((labels, units), (labels[:4], np.arange(4)))
    )
    assert both == first < 1


def test_seeds_are_averaged_before_anything_is_ranked():
    labels, scores, groups = table(5)
    stacked = np.stack([scores, scores[::-1], scores * 2])
    one, two = (
        bootstrap(labels, given, groups, rng=np.random.default_rng(0), plan=Plan(resamples=50))
        for given in (stacked, stacked.mean(axis=0))
    )
    assert one == two


def test_a_system_does_not_differ_from_itself():
    labels, scores, groups = table(6)
    result = paired(labels, (scores, scores), groups, rng=np.random.default_rng(0))
    assert (result.macro.delta, result.macro.low, result.macro.high) == (0, 0, 0)
    assert result.macro.p == 1


def test_a_better_system_wins_and_the_sign_follows_the_order():
    labels, scores, groups = table(7, rows=400, lift=2.0)
    noise = np.random.default_rng(0).normal(size=scores.shape)
    result = paired(labels, (scores, noise), groups, rng=np.random.default_rng(0))
    turned = paired(labels, (noise, scores), groups, rng=np.random.default_rng(0))
    assert result.macro.low > 0
    assert result.macro.p < 0.01
    assert turned.macro.delta == -result.macro.delta
    assert turned.macro.p == result.macro.p


def test_a_pair_counts_only_where_both_systems_answer():
    labels, scores, groups = table(8)
    worse = scores.copy()
    worse[:30] = np.nan
    result = paired(
        labels, (scores, worse), groups, rng=np.random.default_rng(0), plan=Plan(resamples=20)
    )
    assert result.macro.delta == 0


def test_bca_is_the_published_formula():
    rng = np.random.default_rng(0)
    sample = rng.lognormal(size=40)
    drawn = rng.choice(sample, (40000, 40)).mean(axis=1)
    without = (sample.sum() - sample) / 39
    ours = estimate(sample.mean(), drawn, Plan(method="bca"), without)
    theirs = scipy_bootstrap((sample,), np.mean, n_resamples=40000, rng=rng).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.01)
    plain = estimate(sample.mean(), drawn, Plan())
    assert plain.high < ours.high


def test_bca_leaves_out_one_group_at_a_time():
    labels, scores, groups = table(9, rows=60, columns=1)
    units = Units(groups)
    left_out = 1 - np.eye(units.count, dtype=np.int32)
    drawn = replicates(labels, scores, units, left_out)[:, 0]
    expected = [
        _plain(labels[units.member != g, 0], scores[units.member != g, 0])
        for g in range(units.count)
    ]
    assert drawn == pytest.approx(expected)
    bca = bootstrap(labels, scores, groups, rng=np.random.default_rng(0), plan=Plan(method="bca"))
    assert bca.findings[0].low < bca.findings[0].value < bca.findings[0].high


def test_an_interval_needs_half_of_its_resamples():
    plan = Plan()
    mostly = np.array([np.nan] * 6 + [0.5] * 4)
    assert np.isnan(estimate(0.5, mostly, plan).low)
    assert np.isnan(estimate(np.nan, np.ones(5), plan).low)
    assert estimate(0.5, mostly[3:], plan).low == 0.5


def test_coverage_of_clustered_intervals():
    """95% intervals hold the true AUROC in 93 to 97% of worlds where patients have 1-3 studies."""
    rng = np.random.default_rng(2)
    truth = ndtr(1 / np.sqrt(2))  # scores N(0, 1) and N(1, 1)
    groups = np.repeat(np.arange(120), np.tile([1, 2, 3], 40))
    worlds, plan, hits = 800, Plan(resamples=400), 0
    for _ in range(worlds):
        sick = (rng.random(120) < 0.4).astype(float)[groups]
        # Half of the noise belongs to the patient: rows of a group are far from independent.
        noise = np.sqrt(0.5) * (rng.normal(size=120)[groups] + rng.normal(size=len(groups)))
        found = bootstrap(sick, sick + noise, groups, rng=rng, plan=plan).findings[0]
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / worlds <= 0.97


def test_false_wins_of_equal_systems_are_rare():
    rng = np.random.default_rng(3)
    wins = 0
    for _ in range(300):
        labels = (rng.random(150) < 0.4).astype(float)
        signal = labels + rng.normal(size=150)
        systems = tuple(signal + 0.5 * rng.normal(size=150) for _ in range(2))
        result = paired(labels, systems, np.arange(150), rng=rng, plan=Plan(resamples=300))
        wins += result.macro.p < 0.05
    assert 0.02 <= wins / 300 <= 0.08


def test_resamples_are_taken_many_at_a_time(calls):
    """A further one costs a few calls, where a loop would make some for each finding and study."""
    rng = np.random.default_rng(0)
    labels = (rng.random((1500, 5)) < 0.1).astype(float)
    scores = rng.normal(size=labels.shape) + labels

    def cost(resamples):
        plan = Plan(resamples=resamples)
        return calls(lambda: bootstrap(labels, scores, np.arange(1500), rng=rng, plan=plan))

    assert cost(800) - cost(400) < 400 * 10
