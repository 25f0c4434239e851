"""AUROC within strata of a probe, by hand; and finished runs beside the probes of their folds."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.audit.adjusted import adjusted_auroc, strata_of
from experiments.metrics.arrays import Units


def adjusted(labels, scores, probe, **given):
    columns = [np.asarray(each, dtype=float)[:, None] for each in (labels, scores, probe)]
    units = Units(np.arange(len(labels)), **given)
    return adjusted_auroc(*columns, units, resamples=20, rng=np.random.default_rng(0))


def test_by_hand_weighed_by_positives():
    # stratum 0: positives 3, 1 and negative 2 -> 1/2; stratum 1: positive 9, negatives 1, 2 -> 1;
    # three positives in all are compared: (2 * 1/2 + 1 * 1) / 3
    labels, scores = [1, 1, 0, 1, 0, 0], [3, 1, 2, 9, 1, 2]
    found = adjusted(labels, scores, [0, 0, 0, 1, 1, 1])
    assert found.auroc.values[0] == pytest.approx(2 / 3)
    assert found.comparable[0] == 1.0


def test_nothing_is_left_where_a_stratum_has_one_class():
    found = adjusted([1, 1, 0, 0], [4, 3, 2, 1], [1, 1, 0, 0])
    assert np.isnan(found.auroc.values[0])
    assert found.comparable[0] == 0.0


def test_folds_are_averaged_and_never_mixed():
    labels, scores = [1, 0, 1, 0], [2, 1, 0, 5]
    found = adjusted(labels, scores, [0, 0, 0, 0], folds=np.array([0, 0, 1, 1]))
    assert found.auroc.values[0] == pytest.approx(0.5)  # one fold ranks right, one wrong


def test_a_score_that_only_repeats_the_probe_is_at_chance_within():
    rng = np.random.default_rng(1)
    labels = (rng.random(600) < 0.5).astype(float)
    source = np.where(rng.random(600) < 0.9, labels, 1 - labels)
    copied = adjusted(labels, source + 0.01 * rng.random(600), source)
    seen = adjusted(labels, labels + rng.normal(0, 1, 600), source)
    assert abs(copied.auroc.values[0] - 0.5) < 0.06
    assert seen.auroc.values[0] > 0.7
    assert copied.auroc.drawn.shape == (20, 1)


def test_strata_are_fifths_or_the_few_values_there_are():
    assert strata_of(np.array([0.5, 0.1, 0.5])).tolist() == [1, 0, 1]
    assert np.bincount(strata_of(np.arange(50.0))).tolist() == [10] * 5
