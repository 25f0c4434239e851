"""Subgroups: rates and means counted by hand, and nothing said of what has too few positives."""

import numpy as np
import pytest

from experiments.metrics.bootstrap import Plan
from experiments.metrics.subgroups import measure_subgroup

PLAN = Plan(resamples=200, at_least=2)

# Columns: A, B, No Finding. A: 3 positives (one missed), 3 negatives (one alarm). B: 1 positive.
LABELS = np.array(
    [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1], [0, np.nan, 1]], dtype=float
)
SAID = np.array(
    [
        [0.9, 0.1, 0.1],
        [0.8, 0.1, 0.2],
        [0.2, 0.9, 0.7],  # A is missed, and the study called healthy
        [0.6, 0.1, 0.9],  # a false alarm
        [0.1, 0.1, 0.8],
        [0.1, 0.1, 0.4],
    ]
)
CUTS = (0.5, 0.5, 0.5)
PATIENTS = ("a", "b", "c", "d", "e", "f")


def test_rates_are_those_counted_by_hand() -> None:
    group = measure_subgroup(LABELS, SAID, CUTS, PATIENTS, no_finding=2, plan=PLAN)
    assert (group.studies, group.patients, group.averaged) == (6, 6, (0, 2))
    first, second, none = group.findings
    assert (first.studies, first.positives, first.too_few) == (6, 3, False)
    # of 3 x 3 pairs: 0.2 ranks under 0.6 alone
    assert first.auroc.value == pytest.approx(8 / 9)
    for finding in (first, none):
        for rate in (finding.missed, finding.alarms):
            assert rate.value == pytest.approx(1 / 3)
            assert rate.low < 1 / 3 < rate.high
    assert (second.studies, second.positives, second.too_few) == (5, 1, True)
    assert np.isnan([second.auroc.value, second.missed.value, second.alarms.value]).all()
    assert group.auroc.value == pytest.approx((8 / 9 + 8 / 9) / 2)
    assert group.missed.value == pytest.approx(1 / 3)
    assert group.missed.low < 1 / 3 < group.missed.high
    assert (group.underdiagnosis.ill, group.underdiagnosis.rate.value) == (3, pytest.approx(1 / 3))


def test_without_no_finding_healthy_is_whom_nothing_is_said_of() -> None:
    group = measure_subgroup(
        LABELS[:, :2], SAID[:, :2], CUTS[:2], PATIENTS, no_finding=None, plan=PLAN
    )
    # the third is missed by A but caught by B
    assert (group.underdiagnosis.ill, group.underdiagnosis.rate.value) == (3, 0.0)


def test_patients_are_drawn_whole_and_nothing_is_said_without_a_threshold() -> None:
    twice = ("a", "a", "b", "b", "c", "c")
    group = measure_subgroup(LABELS, SAID, (np.nan, np.nan, np.nan), twice, no_finding=2, plan=PLAN)
    assert group.patients == 3
    assert np.isnan([group.missed.value, group.alarms.value]).all()
    assert group.underdiagnosis.ill == 0
    assert np.isnan(group.underdiagnosis.rate.value)


def test_nothing_is_averaged_where_all_are_too_few() -> None:
    plan = Plan(resamples=50, at_least=20)
    group = measure_subgroup(LABELS, SAID, CUTS, PATIENTS, no_finding=2, plan=plan)
    assert group.averaged == ()
    assert np.isnan([group.auroc.value, group.missed.value]).all()
    assert all(finding.too_few for finding in group.findings)
