"""A comparison: its statistics against loops over scikit-learn, its verdicts, its record."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from experiments.compare.compare import compare
from experiments.compare.gather import finished_runs, gather
from experiments.compare.paired import corrected
from experiments.compare.records import Comparison, Difference, Seeds
from experiments.compare.tables import about, difference_table
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan, draw_counts
from experiments.metrics.delong import delong
from experiments.records.predictions import read_predictions
from experiments.records.record import Measured
from experiments.reports.write_comparison import render as render_comparison
from kg.errors import InputError

QUICK = Plan(resamples=200)
STUDIES = 60
"""Studies of each fold of the made-up runs."""


@cache
def scores_of(folder):
    """Test part of a run, read once: loops over resamples ask for it again and again."""
    return next(part for part in read_predictions(folder.predictions) if part.part == "test")


def within_folds(runs, seeds, rows=None, columns=(0, 1)):
    """Macro AUROC by scikit-learn: scores averaged over seeds, mean of folds, of findings."""
    areas = []
    for column in columns:
        folds = []
        for fold in (0, 1):
            parts = [scores_of(run) for run in runs[fold::2]][:seeds]
            score = np.mean([part.probabilities[:, column] for part in parts], axis=0)
            label = parts[0].labels[:, column]
            chosen = np.arange(len(label)) if rows is None else rows[fold]
            kept = chosen[~np.isnan(label[chosen])]
            folds.append(roc_auc_score(label[kept], score[kept]))
        areas.append(np.mean(folds))
    return float(np.mean(areas))


def test_values_are_means_over_folds_and_findings_of_scores_averaged_over_seeds(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    found = compare({"full": full, "names": names}, plan=QUICK)
    one, other = found.entries
    assert one.metrics["auroc_macro"].value == pytest.approx(within_folds(full, 3))
    assert other.metrics["auroc_macro"].value == pytest.approx(within_folds(names, 3))
    macro = found.differences[0]
    expected = within_folds(full, 3) - within_folds(names, 3)
    assert macro.value.value == pytest.approx(expected)
    assert (found.studies, found.groups) == (120, 80)
    assert [row.too_few for row in one.findings] == [False, False, True]
    assert one.metrics["auroc_macro"].findings == 2


def test_findings_with_few_positives_are_in_the_mean_over_all_which_is_marked(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    found = compare({"full": full, "names": names}, plan=QUICK)
    every = found.entry("full").metrics["auroc_macro_all"]
    assert every.value == pytest.approx(within_folds(full, 3, columns=(0, 1, 2)))
    assert every.findings == 3
    (gap,) = found.over_all
    expected = every.value - within_folds(names, 3, columns=(0, 1, 2))
    assert gap.value.value == pytest.approx(expected)
    assert gap.value.low < gap.value.value < gap.value.high
    assert (gap.metric, gap.family, gap.p_holm) == ("auroc_macro_all", "all findings", gap.p)
    assert Comparison.from_json(json.loads(json.dumps(found.as_json()))) == found
    # where none has enough there is no strict value, and an answer still
    strict = compare({"full": full, "names": names}, plan=Plan(resamples=200, at_least=1000))
    assert strict.entry("full").metrics["auroc_macro"].value is None
    assert strict.differences[0].verdict == "too few"
    assert strict.entry("full").metrics["auroc_macro_all"] == every
    assert strict.over_all == found.over_all
    loose = compare({"full": full, "names": names}, plan=Plan(resamples=200, at_least=1))
    assert loose.entry("full").metrics["auroc_macro"] == every
    assert loose.over_all == ()
    for render in (".md", ".html", ".tex"):
        assert "over all findings" in render_comparison(strict, render).lower()
    assert "auroc_macro_all" in render_comparison(strict, ".csv")
    (row,) = (row for row in difference_table(strict).rows if row[0].endswith("all findings"))
    assert row[-1].endswith("with few positives")


def drawn_within_folds(runs, plan):
    """Rows of each fold, resample by resample of its patients."""
    patients = [scores_of(runs[fold]).patients for fold in (0, 1)]
    units = Units(np.concatenate(patients), folds=np.repeat([0, 1], STUDIES))
    for drawn in draw_counts(units, plan.resamples, np.random.default_rng(0)):
        times = drawn[units.member].reshape(2, STUDIES)
        yield [np.repeat(np.arange(STUDIES), times[fold]) for fold in (0, 1)]


def test_interval_is_that_of_patients_drawn_within_folds(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    plan = Plan(resamples=40)
    found = compare({"full": full, "names": names}, plan=plan).differences[0]
    deltas = [
        within_folds(full, 3, rows) - within_folds(names, 3, rows)
        for rows in drawn_within_folds(full, plan)
    ]
    low, high = np.quantile(deltas, [0.025, 0.975])
    assert (found.value.low, found.value.high) == pytest.approx((low, high))
    under = (1 + sum(delta <= 0 for delta in deltas)) / (1 + len(deltas))
    over = (1 + sum(delta >= 0 for delta in deltas)) / (1 + len(deltas))
    assert found.p == pytest.approx(min(1, 2 * min(under, over)))


def test_seeds_are_paired_one_to_one(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    found = compare({"full": full, "names": names}, plan=QUICK)
    alone = [
        [within_folds(runs[2 * seed : 2 * seed + 2], 1) for seed in range(3)]
        for runs in (full, names)
    ]
    by_seed = found.differences[0].by_seed
    gaps = np.subtract(*alone)
    assert by_seed.values == pytest.approx(gaps.tolist())
    assert by_seed.sd == pytest.approx(np.std(gaps, ddof=1))
    assert by_seed.p == pytest.approx(ttest_rel(*alone).pvalue)
    assert found.entries[0].by_seed.mean == pytest.approx(np.mean(alone[0]))


def learned(runs, shares):
    """Runs that say how common each finding was in training."""
    for run in runs:
        kept = {"identity": {"findings": list(shares)}, "state": {"prevalence": [*shares.values()]}}
        path = run.checkpoints / "reader" / "state.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(kept))
    return runs


def test_rare_and_common_findings_are_compared_apart_and_with_each_other(crossed):
    shares = {"ckg:rare": 0.001, "ckg:a": 0.4, "ckg:b": 0.03}
    full, names = learned(crossed("full"), shares), crossed("names", lift=0.3)
    plan = Plan(resamples=40)
    found = compare({"full": full, "names": names}, plan=plan).rarity
    # the rarest has too few positives at test; of the other two one is below 5% of training
    assert (found.rare, found.common, found.too_few) == (("ckg:b",), ("ckg:a",), ("ckg:rare",))
    assert list(found.shares) == ["ckg:rare", "ckg:b", "ckg:a"]

    def gap(column, rows=None):
        one, other = (within_folds(runs, 3, rows, (column,)) for runs in (full, names))
        return one - other

    rare, common, between = found.differences
    assert [one.over for one in found.differences] == ["rare", "common", "rare minus common"]
    assert (rare.value.value, common.value.value) == pytest.approx((gap(1), gap(0)))
    deltas = [gap(1, rows) - gap(0, rows) for rows in drawn_within_folds(full, plan)]
    expected = (gap(1) - gap(0), *np.quantile(deltas, [0.025, 0.975]))
    assert (between.value.value, between.value.low, between.value.high) == pytest.approx(expected)
    assert max(one.p_holm for one in found.differences) >= 3 * min(
        one.p for one in found.differences
    )


def test_nothing_is_said_of_rare_findings_where_runs_do_not_know_them(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    assert compare({"full": full, "names": names}, plan=QUICK).rarity is None
    learned(full, {"ckg:a": 0.4, "ckg:b": 0.049, "ckg:rare": 0.01})
    assert compare({"full": full}, plan=QUICK).rarity is None
    assert compare({"full": full, "names": names}, plan=QUICK).rarity is not None
    # the rare one has too few positives at test
    few = Plan(resamples=50, at_least=42)
    assert compare({"full": full, "names": names}, plan=few).rarity is None


@pytest.mark.parametrize("shares", [(0.327, 0.21), (0.05, 0.4), (0.01, 0.02)])
def test_rare_means_below_a_stated_share_not_the_rarer_half(crossed, shares):
    full, names = crossed("full"), crossed("names", lift=0.3)
    learned(full, {"ckg:a": shares[0], "ckg:b": shares[1], "ckg:rare": 0.01})
    assert compare({"full": full, "names": names}, plan=QUICK).rarity is None


def test_the_curve_of_a_finding_is_the_mean_of_its_folds(crossed):
    full, names = crossed("full"), crossed("names", lift=0.3)
    found = compare({"full": full, "names": names}, plan=QUICK)
    for entry in found.entries:
        assert [len(row.roc) for row in entry.findings] == [51, 51, 0]
        for row in entry.findings[:2]:
            # the area of the mean curve is the mean of the folds' areas, up to its 51 points
            assert np.trapezoid(row.roc, dx=0.02) == pytest.approx(row.value.value, abs=0.03)
            assert row.roc[-1] == 1
            assert row.precision[-1] > 0


def test_rows_meet_by_study_whatever_their_order(crossed, write):
    full = crossed("full", seeds=1)

    def shuffled(part):
        order = np.random.default_rng(0).permutation(len(part.studies))
        columns = [2, 0, 1]
        return type(part)(
            part.part,
            tuple(part.studies[row] for row in order),
            tuple(part.patients[row] for row in order),
            tuple(part.findings[column] for column in columns),
            part.labels[np.ix_(order, columns)],
            part.probabilities[np.ix_(order, columns)],
        )

    names = [write("names", fold=fold, lift=0.3) for fold in (0, 1)]
    mixed = [write("mixed", fold=fold, lift=0.3, scored=shuffled) for fold in (0, 1)]
    in_order = compare({"full": full, "x": names}, plan=QUICK)
    # names of equal length draw equal noise: `mixed` holds the scores of `names`, moved about
    out_of_order = compare({"full": full, "x": mixed}, plan=QUICK)
    assert out_of_order.differences == in_order.differences


def test_a_system_that_hangs_on_no_seed_is_paired_with_every_seed(crossed, write):
    full = crossed("full")
    fitted = {"stages": [], "system": {"name": "logistic_text"}}
    text = [write("text", fold=fold, lift=0.2, changes=fitted) for fold in (0, 1)]
    found = compare({"full": full, "text": text}, plan=QUICK).differences[0]
    assert len(found.by_seed.values) == 3
    expected = [within_folds(full[2 * s : 2 * s + 2], 1) - within_folds(text, 1) for s in range(3)]
    assert found.by_seed.values == pytest.approx(expected)


def test_each_source_left_out_is_a_part_of_its_own(write):
    kind = [{"split": {"kind": "sources", "fold": fold}} for fold in (0, 1)]
    full, names = (
        [write(name, fold=fold, lift=lift, changes=kind[fold]) for fold in (0, 1)]
        for name, lift in (("full", 1.0), ("names", 0.2))
    )
    found = compare({"full": full, "names": names}, plan=QUICK)
    assert found.entries[0].metrics["auroc_macro"].value == pytest.approx(within_folds(full, 1))
    assert "split 2 origins" in about(found)


def test_delong_stands_beside_where_rows_are_patients_of_one_fold(write):
    def lone(part):
        return type(part)(
            part.part, part.studies, part.studies, part.findings, part.labels, part.probabilities
        )

    fixed = {"split": {"kind": "fixed"}}
    one = write("full", lift=1.5, changes=fixed, scored=lone)
    other = write("names", lift=0.2, changes=fixed, scored=lone)
    found = compare({"full": [one], "names": [other]}, plan=Plan(resamples=200, at_least=1))
    row = next(d for d in found.differences if d.finding == "ckg:b")
    scores = np.stack([scores_of(run).probabilities[:, 1] for run in (one, other)])
    assert row.p_delong == pytest.approx(delong(scores_of(one).labels[:, 1], scores).difference().p)
    assert found.differences[0].p_delong is None  # a mean of several findings


def test_several_rows_a_patient_have_no_delong(crossed):
    found = compare({"full": crossed(seeds=1), "names": crossed("names", seeds=1)}, plan=QUICK)
    assert {difference.p_delong for difference in found.differences} == {None}


def a_difference(low, high, p, family="primary"):
    value = Measured((low + high) / 2, low, high)
    rest = {"positives": 50, "p": p, "p_holm": None, "p_delong": None, "by_seed": Seeds()}
    return Difference("a", "b", family, "auroc_macro", "", value=value, verdict="not shown", **rest)


def test_no_win_is_called_where_the_interval_crosses_zero():
    found = corrected([a_difference(-0.001, 0.05, 0.001), a_difference(0.01, 0.05, 0.001)], 0.95)
    assert [each.verdict for each in found] == ["not shown", "higher"]


@pytest.mark.parametrize("family", ["primary", "secondary", "findings"])
def test_no_win_is_called_where_holm_does_not_hold(family):
    pair = [a_difference(0.001, 0.05, 0.03, family), a_difference(-0.05, -0.001, 0.04, family)]
    found = list(corrected(pair, 0.95))
    assert [(each.verdict, each.p_holm) for each in found] == [("not shown", 0.06)] * 2
    assert [next(corrected([each], 0.95)).verdict for each in pair] == ["higher", "lower"]


def test_too_few_is_not_tested_and_not_counted(crossed):
    found = compare({"full": crossed(seeds=1), "names": crossed("names", seeds=1)}, plan=QUICK)
    rare = next(d for d in found.differences if d.finding == "ckg:rare")
    assert (rare.verdict, rare.p_holm) == ("too few", None)
    tested_ones = [d for d in found.between("full", "names") if d.finding and d is not rare]
    smallest = min(tested_ones, key=lambda d: d.p)
    assert smallest.p_holm == pytest.approx(2 * smallest.p)


def test_primary_pairs_are_a_family_of_their_own(crossed):
    groups = {name: crossed(name, seeds=1) for name in ("full", "names", "plain", "other")}
    found = compare(groups, primary=[("full", "plain"), ("full", "names")], plan=QUICK)
    macros = [d for d in found.differences if not d.finding]
    assert [(d.family, d.second) for d in macros] == [
        ("primary", "plain"),
        ("primary", "names"),
        ("secondary", "other"),
    ]
    assert macros[2].p_holm == macros[2].p


def test_a_finding_one_system_cannot_answer_counts_for_neither(crossed, write):
    def mute(part):
        given = part.probabilities.copy()
        given[:, 0] = np.nan
        return type(part)(part.part, part.studies, part.patients, part.findings, part.labels, given)

    full = crossed(seeds=1)
    lesser = [write("lesser", fold=fold, scored=mute) for fold in (0, 1)]
    found = compare({"full": full, "lesser": lesser}, plan=QUICK)
    expected = within_folds(full, 1, columns=(1,)) - within_folds(lesser, 1, columns=(1,))
    assert found.differences[0].value.value == pytest.approx(expected)
    assert found.entry("full").metrics["auroc_macro"].findings == 2
    assert found.entry("lesser").findings[0].value.value is None
    assert any("lesser: no predictions of 1 findings" in note for note in found.notes)


def test_the_record_survives_a_file_and_the_same_runs_give_the_same_bytes(crossed):
    published = [{"metric": "AUROC", "value": 0.8, "where": "table 2", "mark": "C"}]
    groups = {
        "full": crossed(changes={"published": published}),
        "names": crossed("names", changes={"graph": {"vectors": "random"}}),
    }
    first, second = (
        json.dumps(compare(groups, plan=QUICK, keep=["published"]).as_json(), allow_nan=False)
        for _ in range(2)
    )
    assert first == second
    again = Comparison.from_json(json.loads(first))
    assert json.dumps(again.as_json()) == first
    plain = compare(groups, plan=QUICK)
    assert again.entry("full").published[0].where == "table 2"
    assert plain.entry("full").published == ()
    assert (again.differences, again.notes[:-1]) == (plain.differences, plain.notes)
    assert again.entry("names").settings == {"graph.vectors": "random"}
    assert "runs" not in again.entries[0].runs[0]
    with pytest.raises(InputError, match="not a comparison"):
        Comparison.from_json({"format": 99})
    with pytest.raises(InputError, match="entries.0.seeds"):
        Comparison.from_json(json.loads(first.replace('"seeds": [0, 1, 2]', '"seeds": "x"')))


def test_runs_gather_by_configuration_and_get_names_that_tell_them_apart(crossed, write, tmp_path):
    crossed("full")
    crossed("graph", seeds=1)
    crossed("graph", seeds=1, changes={"graph": {"control": "shuffled"}})
    write("open", status="running")
    found = gather(finished_runs(tmp_path / "runs", ["graph", "full"]))
    assert {name: len(runs) for name, runs in found.items()} == {
        "graph graph.control=none": 2,
        "graph graph.control=shuffled": 2,
        "full": 6,
    }
    with pytest.raises(InputError, match="no finished run"):
        finished_runs(tmp_path / "runs", ["open"])


def test_all_settings_are_kept_on_request(crossed):
    groups = {"full": crossed(seeds=1), "names": crossed("names", seeds=1)}
    assert compare(groups, plan=QUICK).entries[0].settings == {}
    kept = compare(groups, plan=QUICK, keep=["settings"]).entries[0].settings
    assert kept["stages.0.objectives.classification"] == "1.0"
    assert "seed" not in kept
