"""The record of all metrics: rows, summary, honesty about small numbers."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan
from experiments.metrics.decisions import Thresholds, choose_thresholds
from experiments.metrics.table import evaluate, with_exclusive
from kg.errors import InputError

PLAN = Plan(resamples=200)


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 4)) < [0.03, 0.2, 0.5, 0.3]).astype(float)
    labels[:, 3] = np.nan
    said = np.clip(rng.normal(0.4, 0.15, labels.shape) + 0.2 * np.nan_to_num(labels), 0, 1)
    return labels, said, np.arange(300) // 2


def measure(answers, thresholds=None, **more):
    labels, said, groups = answers
    return evaluate(
        labels,
        said,
        groups,
        thresholds,
        findings=("rare", "b", "c", "unstated"),
        rng=np.random.default_rng(1),
        plan=more.pop("plan", PLAN),
    )


def test_rows_and_means(answers):
    labels, said, _ = answers
    table = measure(answers, Thresholds((0.5, 0.5, 0.45, np.nan), "by hand"))
    rare, b, c, unstated = table.findings
    assert rare.too_few
    assert unstated.too_few
    assert not b.too_few
    assert table.averaged == ("b", "c")
    assert b.auroc == pytest.approx(roc_auc_score(labels[:, 1], said[:, 1]))
    assert b.auroc_low < b.auroc < b.auroc_high
    assert c.measured()["auroc"].low == c.auroc_low
    assert c.measured()["brier"].value == c.brier
    assert c.f1 == pytest.approx(f1_score(labels[:, 2], said[:, 2] >= 0.45))
    assert table.metrics["auroc_macro"].value == pytest.approx((b.auroc + c.auroc) / 2)
    assert table.measured == 3
    every = table.metrics["auroc_macro_all"]
    assert every.value == pytest.approx((rare.auroc + b.auroc + c.auroc) / 3)
    assert table.metrics["auprc_macro_all"].value == pytest.approx(
        (rare.auprc + b.auprc + c.auprc) / 3
    )
    assert table.metrics["brier_macro"].value == pytest.approx((b.brier + c.brier) / 2)
    for name, metric in table.metrics.items():
        assert name == "ece_macro" or metric.low < metric.value < metric.high, name
    assert (table.studies, table.groups, table.threshold_rule) == (300, 150, "by hand")


def test_a_row_says_why_no_mean_is_over_it(answers):
    labels, said, groups = answers
    labels = labels.copy()
    labels[:, 1] = np.where(np.isnan(labels[:, 1]), np.nan, 1)
    table = measure((labels, said, groups))
    assert [row.remark for row in table.findings] == [
        *("too few positives", "no negatives", "", "too few positives"),
    ]
    c = table.findings[2]
    assert table.averaged == ("c",)
    assert table.metrics["auprc_macro"].value == c.auprc
    assert np.isnan(table.findings[1].auprc)


def test_rare_findings_count_when_asked_to(answers):
    table = measure(answers, plan=Plan(resamples=50, at_least=1))
    assert table.averaged == ("rare", "b", "c")
    assert not [name for name in table.metrics if name.endswith("_all")]
    assert not table.findings[0].too_few


def test_without_thresholds_nothing_is_decided(answers):
    table = measure(answers)
    assert np.isnan(table.findings[1].f1)
    assert np.isnan(table.metrics["f1_macro"].value)
    assert table.metrics["auroc_macro"].value > 0.5


def test_json_has_none_for_what_is_not_defined(answers):
    plain = json.loads(json.dumps(measure(answers).as_json(), allow_nan=False))
    assert plain["findings"][3]["auroc"] is None
    assert plain["findings"][1]["threshold"] is None
    assert set(plain["metrics"]["auroc_macro"]) == {"value", "low", "high"}
    assert plain["metrics"]["ece_macro"]["low"] is None


def test_the_same_seed_gives_the_same_record(answers):
    assert json.dumps(measure(answers).as_json()) == json.dumps(measure(answers).as_json())


def test_thresholds_chosen_on_the_test_are_an_error(answers):
    labels, said, groups = answers
    with pytest.raises(InputError, match="patient groups they are tested on"):
        measure(answers, choose_thresholds(labels, said, groups))


def test_together_is_the_mean_within_modalities(answers):
    labels, said, groups = answers
    parts = np.where(np.arange(300) < 120, "cxr", "ct")
    table = evaluate(
        labels[:, 2:3],
        said[:, 2:3] + 0.3 * (parts == "ct")[:, None],
        Units(groups, modalities=parts),
        None,
        findings=("c",),
        rng=np.random.default_rng(0),
        plan=PLAN,
    )
    within = [
        roc_auc_score(labels[parts == part, 2], said[parts == part, 2]) for part in ("cxr", "ct")
    ]
    assert table.parts
    assert table.metrics["auroc_macro"].value == pytest.approx(np.mean(within))


def test_exclusive_set_adds_accuracy():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 150)
    labels = np.eye(3)[truth]
    said = rng.dirichlet([1, 1, 1], 150) * 0.6 + 0.4 * labels
    labels[0] = np.nan
    table = evaluate(labels, said, range(150), None, findings=tuple("abc"), rng=rng, plan=PLAN)
    table = with_exclusive(table, labels, said, range(150), rng=rng)
    right = (said.argmax(axis=1) == truth)[1:]
    assert table.metrics["accuracy"].value == pytest.approx(right.mean())
    assert table.metrics["accuracy"].low <= right.mean() <= table.metrics["accuracy"].high
    assert sum(map(sum, table.confusion)) == 149
    assert "balanced_accuracy" in table.as_json()["metrics"]
