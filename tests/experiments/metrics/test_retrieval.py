"""Retrieval against torchmetrics, by hand, and what ties and chance come to."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_hit_rate,
    retrieval_precision,
    retrieval_reciprocal_rank,
)

from experiments.metrics.retrieval import retrieval_metrics, retrieval_sums
from experiments.metrics.sums import measure


def values(similarity, relevant, cuts=(1, 5, 10)):
    sums = retrieval_sums(similarity, relevant, cuts)
    found = measure(
        sums, retrieval_metrics(cuts), np.arange(len(sums.values)), rng=np.random.default_rng(0)
    )
    return {name: each.value for name, each in found.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chance", [0.03, 0.3])
def test_it_agrees_with_torchmetrics(seed, chance):
    rng = np.random.default_rng(seed)
    # above 0, below which torchmetrics takes nothing for relevant
    near = rng.permuted(np.tile(np.arange(1.0, 31), (20, 1)), axis=1)
    relevant = rng.random((20, 30)) < chance
    asked = relevant.any(axis=1)
    found = values(near, relevant)
    pairs = [
        (torch.tensor(s), torch.tensor(r))
        for s, r in zip(near[asked], relevant[asked], strict=True)
    ]

    def mean(metric, **options):
        return np.mean([float(metric(s, r, **options)) for s, r in pairs])

    for cut in (1, 5, 10):
        assert found[f"recall_at_{cut}"] == pytest.approx(mean(retrieval_hit_rate, top_k=cut))
        assert found[f"precision_at_{cut}"] == pytest.approx(mean(retrieval_precision, top_k=cut))
    assert found["mean_reciprocal_rank"] == pytest.approx(mean(retrieval_reciprocal_rank))
    assert found["mean_average_precision"] == pytest.approx(mean(retrieval_average_precision))
    ranks = [1 / float(retrieval_reciprocal_rank(s, r)) for s, r in pairs]
    assert found["median_rank"] == pytest.approx(np.median(ranks))
    assert found["pool"] == 30


def test_pairs_by_hand():
    near = [[3, 1, 2], [9, 1, 5], [0, 1, 2]]
    found = values(near, np.eye(3), cuts=(1, 2))  # ranks 1, 3, 1
    assert found["recall_at_1"] == pytest.approx(2 / 3)
    assert found["recall_at_2"] == pytest.approx(2 / 3)
    assert found["precision_at_2"] == pytest.approx(1 / 3)
    assert found["mean_reciprocal_rank"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert found["median_rank"] == 1
    assert found["chance_at_1"] == pytest.approx(1 / 3)
    assert found["chance_at_2"] == pytest.approx(2 / 3)


def test_the_same_similarity_for_all_finds_nothing():
    found = values(np.zeros((12, 12)), np.eye(12))
    assert found["recall_at_1"] == found["recall_at_10"] == 0.0
    assert found["median_rank"] == 12


def test_equal_reports_are_not_rivals():
    """Texts 0 and 1 say the same: both belong to both queries, so the tie is no mistake."""
    near = [[5, 5, 1], [5, 5, 1], [0, 0, 2]]
    relevant = [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert values(near, relevant)["recall_at_1"] == 1.0


def test_who_is_no_candidate_is_not_in_the_pool():
    """Pictures among themselves: never oneself."""
    near = np.array([[9.0, 1, 2], [1, 9, 2], [2, 1, 9]])
    near[np.diag_indices(3)] = -np.inf
    relevant = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    sums = retrieval_sums(near, relevant)
    assert sums["pool"].tolist() == [2, 0, 2]
    assert sums["queries"].tolist() == [1, 0, 1]  # 1 is like nobody else
    assert sums["rank"].tolist() == [1, 0, 1]
    found = values(near, relevant)
    assert found["recall_at_1"] == 1.0
    assert found["pool"] == 2
    assert found["chance_at_5"] == 1.0


def test_chance_is_what_random_orders_reach():
    rng = np.random.default_rng(0)
    relevant = np.zeros((4000, 20), dtype=bool)
    relevant[:, :3] = True
    found = values(rng.random((4000, 20)), relevant)
    for cut in (1, 5, 10):
        assert found[f"recall_at_{cut}"] == pytest.approx(found[f"chance_at_{cut}"], abs=0.03)


def test_order_of_queries_and_candidates_does_not_matter():
    rng = np.random.default_rng(3)
    near, relevant = rng.random((9, 14)), rng.random((9, 14)) < 0.3
    rows, columns = rng.permutation(9), rng.permutation(14)
    moved = values(near[rows][:, columns], relevant[rows][:, columns])
    assert moved == pytest.approx(values(near, relevant))


@pytest.mark.parametrize(
    ("near", "relevant"), [([[1.0, np.nan]], [[1, 0]]), ([[1.0, 2.0]], [[1]]), ([1.0], [1])]
)
def test_what_does_not_fit_is_refused(near, relevant):
    with pytest.raises(ValueError, match=r"missing|need \[n, m\]"):
        retrieval_sums(near, relevant)
