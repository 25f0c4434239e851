"""The contrastive losses against sums written out, and who is no rival."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from fusion.layers.word_region import word_region_scores
from fusion.losses.info_nce import info_nce
from fusion.losses.pair_cross_entropy import pair_cross_entropy
from fusion.losses.soft_info_nce import soft_info_nce
from fusion.losses.word_region_contrast import word_region_contrast

Draw = Callable[..., Tensor]


def by_hand(
    near: list[list[float]], weight: float, rivals: list[list[bool]] | None = None
) -> float:
    """Symmetric InfoNCE of scaled dot products, one pair after the other."""
    size, total = len(near), 0.0
    open_to = rivals or [[True] * size for _ in range(size)]
    for i in range(size):
        row = [near[i][k] for k in range(size) if k == i or open_to[i][k]]
        column = [near[k][i] for k in range(size) if k == i or open_to[k][i]]
        total += weight * (math.log(sum(map(math.exp, row))) - near[i][i])
        total += (1 - weight) * (math.log(sum(map(math.exp, column))) - near[i][i])
    return total / size


@pytest.mark.parametrize("weight", [0.5, 0.75, 0.0, 1.0])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_pairs_by_hand(draw: Draw, weight: float, scale: float) -> None:
    a, b = draw(5, 3), draw(5, 3)
    near = (a @ b.T * scale).tolist()
    loss = info_nce(a, b, scale=scale, weight=weight)
    assert float(loss) == pytest.approx(by_hand(near, weight), abs=1e-9)


def test_two_pairs_written_out() -> None:
    """Cosines 1 and 0 at temperature 1: each row and column says log(1 + 1/e)."""
    sides = torch.eye(2)
    assert float(info_nce(sides, sides)) == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)


@pytest.mark.parametrize(
    ("same", "alike"),
    [
        ([0, 1, 0, 2], {(0, 2)}),
        ([-1, -1, -1, -1], set()),
        ([5, 5, 5, -1], {(0, 1), (0, 2), (1, 2)}),
        ([[0, 7], [1, 7], [2, -1], [2, -1]], {(0, 1), (2, 3)}),
    ],
)
def test_one_study_or_one_text_is_no_rival(
    draw: Draw, same: list[int], alike: set[tuple[int, int]]
) -> None:
    a, b = draw(4, 3), draw(4, 3)
    rivals = [[(min(i, k), max(i, k)) not in alike for k in range(4)] for i in range(4)]
    expected = by_hand((a @ b.T).tolist(), 0.5, rivals)
    assert float(info_nce(a, b, same=torch.tensor(same))) == pytest.approx(expected, abs=1e-9)


def test_rows_that_are_all_the_same_cost_nothing(draw: Draw) -> None:
    loss = info_nce(draw(4, 3), draw(4, 3), same=torch.zeros(4).long())
    assert float(loss) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("mask", [[True, False, True, True, False], [True] * 5])
def test_a_masked_row_changes_nothing(draw: Draw, mask: list[bool]) -> None:
    a, b, there = draw(5, 3), draw(5, 3), torch.tensor(mask)
    same = torch.tensor([0, 0, 1, 0, 1])
    loss = info_nce(a, b, scale=3.0, same=same, mask=there)
    alone = info_nce(a[there], b[there], scale=3.0, same=same[there])
    assert float(loss) == pytest.approx(float(alone), abs=1e-12)
    loss.backward()
    assert a.grad is not None
    assert not a.grad[~there].any()
    assert a.grad[there].any()


@pytest.mark.parametrize("mask", [[False, False], [True, False]])
def test_fewer_than_two_pairs_are_zero(draw: Draw, mask: list[bool]) -> None:
    a = draw(2, 3)
    loss = info_nce(a, draw(2, 3), mask=torch.tensor(mask))
    loss.backward()
    assert float(loss) == 0.0
    assert a.grad is not None
    assert not a.grad.any()


def test_the_order_of_the_pairs_does_not_matter(draw: Draw) -> None:
    a, b, order = draw(6, 3), draw(6, 3), torch.tensor([3, 1, 5, 0, 2, 4])
    same, mask = torch.tensor([0, 1, 0, 2, 2, 3]), torch.tensor([1, 1, 1, 0, 1, 1]).bool()
    one = info_nce(a, b, same=same, mask=mask)
    other = info_nce(a[order], b[order], same=same[order], mask=mask[order])
    assert float(one) == pytest.approx(float(other), abs=1e-12)


def test_gradients_of_pairs(draw: Draw) -> None:
    same, mask = torch.tensor([0, 1, 0, 2]), torch.tensor([1, 1, 1, 0]).bool()
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    assert gradcheck(
        lambda a, b, s: info_nce(a, b, scale=s, weight=0.75, same=same, mask=mask),
        (draw(4, 3), draw(4, 3), scale),
    )


def test_products_far_below_zero_stay_finite() -> None:
    a = torch.tensor([[1e5], [-1e5], [1.0]])
    loss = info_nce(a, a, mask=torch.tensor([True, True, False]))
    assert float(loss) == 0.0


def test_soft_targets_of_one_partner_each_are_pairs(draw: Draw) -> None:
    a, b = draw(5, 3), draw(5, 3)
    soft = soft_info_nce(a, b, torch.eye(5).double() * 0.3, scale=4.0, weight=0.75)
    assert float(soft) == pytest.approx(float(info_nce(a, b, scale=4.0, weight=0.75)), abs=1e-12)


def test_soft_targets_by_hand() -> None:
    """One picture, two texts as near as each other, a third of the target on the first."""
    a, b = torch.tensor([[1.0]]), torch.tensor([[2.0], [2.0]])
    targets = torch.tensor([[1.0, 2.0]])
    # found among two: log 2 whatever the shares; each text finds its only picture
    assert float(soft_info_nce(a, b, targets)) == pytest.approx(0.5 * math.log(2), abs=1e-6)


def test_soft_targets_are_cross_entropies_of_shares(draw: Draw) -> None:
    a, b = draw(4, 3), draw(6, 3)
    likeness = draw(4, 6)
    near = a @ b.T * 2
    expected = 0.5 * F.cross_entropy(near, likeness.softmax(1))
    expected = expected + 0.5 * F.cross_entropy(near.T, likeness.T.softmax(1))
    loss = soft_info_nce(a, b, likeness.exp(), scale=2.0)
    assert float(loss) == pytest.approx(float(expected), abs=1e-9)


def test_masked_rows_change_no_soft_loss(draw: Draw) -> None:
    a, b, targets = draw(5, 3), draw(4, 3), draw(5, 4).detach().exp()
    of_a, of_b = torch.tensor([1, 0, 1, 1, 0]).bool(), torch.tensor([1, 1, 0, 1]).bool()
    loss = soft_info_nce(a, b, targets, masks=(of_a, of_b))
    alone = soft_info_nce(a[of_a], b[of_b], targets[of_a][:, of_b])
    assert float(loss) == pytest.approx(float(alone), abs=1e-12)
    loss.backward()
    assert b.grad is not None
    assert not b.grad[~of_b].any()


def test_a_row_without_a_partner_is_a_rival_only(draw: Draw) -> None:
    a, b = draw(3, 2), draw(3, 2)
    targets = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=torch.float64)
    near = a @ b.T
    rows = [F.cross_entropy(near[i][None], torch.tensor([i])) for i in (0, 2)]
    columns = [F.cross_entropy(near.T[i][None], torch.tensor([i])) for i in (0, 2)]
    expected = sum(float(each) for each in (*rows, *columns)) / 4
    assert float(soft_info_nce(a, b, targets)) == pytest.approx(expected, abs=1e-9)
    assert float(soft_info_nce(a, b, targets * 0)) == 0.0


def test_gradients_of_soft_pairs(draw: Draw) -> None:
    targets = draw(3, 4).detach().exp()
    masks = (torch.tensor([1, 1, 0]).bool(), torch.ones(4).bool())
    assert gradcheck(
        lambda a, b: soft_info_nce(a, b, targets, scale=2.0, weight=0.3, masks=masks),
        (draw(3, 2), draw(4, 2)),
    )


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_any_scores_of_pairs_by_hand(draw: Draw, weight: float) -> None:
    scores = draw(5, 5)
    loss = pair_cross_entropy(scores, weight=weight)
    assert float(loss) == pytest.approx(by_hand(scores.tolist(), weight), abs=1e-9)
    assert gradcheck(lambda each: pair_cross_entropy(each, weight=weight), scores)


WORDS = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]).bool()
REGIONS = torch.tensor([[1, 1], [1, 0], [0, 1], [1, 1]]).bool()


def test_words_and_regions_are_scored_and_found(draw: Draw) -> None:
    words, regions, same = draw(4, 3, 5), draw(4, 2, 5), torch.tensor([0, 1, 0, 2])
    scores = word_region_scores(words, regions, (WORDS, REGIONS), word_scale=3.0) * 2
    rivals = [[{i, k} != {0, 2} for k in range(4)] for i in range(4)]
    loss = word_region_contrast(
        words, regions, (WORDS, REGIONS), scale=2.0, word_scale=3.0, same=same
    )
    assert float(loss) == pytest.approx(by_hand(scores.tolist(), 0.5, rivals), abs=1e-9)


@pytest.mark.parametrize("lacks", ["words", "regions"])
def test_a_row_without_words_or_regions_changes_nothing(draw: Draw, lacks: str) -> None:
    words, regions = draw(4, 3, 5), draw(4, 2, 5)
    masks = {"words": WORDS.clone(), "regions": REGIONS.clone()}
    masks[lacks][1] = False
    loss = word_region_contrast(words, regions, (masks["words"], masks["regions"]))
    left = [0, 2, 3]
    alone = word_region_contrast(words[left], regions[left], (WORDS[left], REGIONS[left]))
    assert float(loss) == pytest.approx(float(alone), abs=1e-9)
    loss.backward()
    for side in (words, regions):
        assert side.grad is not None
        assert not side.grad[1].any()


def test_gradients_of_words_and_regions(draw: Draw) -> None:
    assert gradcheck(
        lambda words, regions: word_region_contrast(words, regions, (WORDS, REGIONS), scale=0.5),
        (draw(4, 3, 2), draw(4, 2, 2)),
    )
