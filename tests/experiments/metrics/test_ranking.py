"""AUROC and average precision against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from experiments.metrics.ranking import auprc, auroc, macro, micro, prevalence


def random_table(seed, rows=200, columns=6):
    """Labels and scores with ties and gaps."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, columns)) < rng.uniform(0.02, 0.9, columns)).astype(float)
    scores = np.round(rng.normal(size=(rows, columns)) + labels, rng.integers(0, 3))
    labels[rng.random(labels.shape) < 0.15] = np.nan
    scores[rng.random(scores.shape) < 0.05] = np.nan
    return labels, scores


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("ours", "oracle"), [(auroc, roc_auc_score), (auprc, average_precision_score)]
)
def test_each_finding_is_what_scikit_learn_says(seed, ours, oracle):
    labels, scores = random_table(seed)
    answer = ours(labels, scores)
    for c in range(labels.shape[1]):
        kept = ~np.isnan(labels[:, c]) & ~np.isnan(scores[:, c])
        if 0 < labels[kept, c].sum() < kept.sum():
            assert answer[c] == pytest.approx(oracle(labels[kept, c], scores[kept, c]), abs=1e-12)


def test_by_hand_with_a_tie():
    # Pairs (positive, negative): 0.9>0.5, 0.9>0.1, 0.5=0.5, 0.5>0.1 -> 3.5 of 4.
    labels, scores = [1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1]
    assert auroc(labels, scores)[0] == 3.5 / 4
    # Recall 1/2 at precision 1, then both at 0.5: precision 2/3.
    assert auprc(labels, scores)[0] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@pytest.mark.parametrize("statistic", [auroc, auprc])
@pytest.mark.parametrize(
    "labels",
    [[1, 1, 1, 1], [0, 0, 0, 0], [1, np.nan, 1, np.nan], [np.nan, 0, 0, 0], [np.nan] * 4],
)
def test_one_class_is_not_applicable(statistic, labels):
    for scores in ([0.2, 0.3, 0.3, 0.9], [0.5] * 4):
        assert np.isnan(statistic(labels, scores)[0])
    assert np.isnan(statistic([1, 1, 0], [0.2, 0.3, np.nan])[0])
    assert statistic([1, 1, 0], [0.2, 0.3, 0.1])[0] == 1


def test_macro_names_what_it_averages():
    mean = macro([0.5, np.nan, 0.9], ("a", "b", "c"))
    assert mean.value == pytest.approx(0.7)
    assert mean.defined == ("a", "c")
    assert mean.left_out == ("b",)
    assert np.isnan(macro([np.nan], ("a",)).value)


def test_micro_is_all_pairs_together():
    labels, scores = random_table(3)
    kept = ~np.isnan(labels) & ~np.isnan(scores)
    assert micro(labels, scores) == pytest.approx(roc_auc_score(labels[kept], scores[kept]))
    assert micro(labels, scores, "auprc") == pytest.approx(
        average_precision_score(labels[kept], scores[kept])
    )


def test_prevalence_counts_stated_labels_only():
    assert prevalence([[1, np.nan], [0, np.nan], [np.nan, 1], [0, 0]]).tolist() == [1 / 3, 0.5]


def test_random_scores_have_auprc_near_prevalence():
    rng = np.random.default_rng(0)
    labels = (rng.random(20000) < 0.2).astype(float)
    assert auprc(labels, rng.random(20000))[0] == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 2], [0.1, 0.2], "neither"),
        ([0, 1], [0.1, np.inf], "infinite"),
        ([0, 1, 1], [0.1, 0.2], "must be equal"),
    ],
)
def test_bad_arrays_are_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auroc(labels, scores)
