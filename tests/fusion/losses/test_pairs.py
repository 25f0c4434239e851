"""Losses of pairs and their rivals: ranking by a margin, and the bound of Donsker and Varadhan."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from fusion.losses.donsker_varadhan import donsker_varadhan
from fusion.losses.pair_ranking import pair_ranking

Draw = Callable[..., Tensor]
Loss = Callable[..., Tensor]
SAME = torch.tensor([0, 1, 2, 0, 3])
MASK = torch.tensor([1, 1, 0, 1, 1]).bool()


def margin_of_a_half(scores: Tensor, **options: Tensor) -> Tensor:
    return pair_ranking(scores, 0.5, **options)


each_loss = pytest.mark.parametrize("loss", [margin_of_a_half, donsker_varadhan])


def test_two_pairs_by_hand() -> None:
    """Rivals of the first score .8 and .1 against 1, of the second .1 and .8 against .2."""
    scores = torch.tensor([[1.0, 0.8], [0.1, 0.2]])
    # margin .5: .3 and 0 for the first, .4 and 1.1 for the second
    assert float(pair_ranking(scores, 0.5)) == pytest.approx((0.3 + 0 + 0.4 + 1.1) / 2)
    bound = math.log((math.exp(0.8) + math.exp(0.1)) / 2) - 0.6
    assert float(donsker_varadhan(scores)) == pytest.approx(bound)


def test_each_pair_has_its_margin(draw: Draw) -> None:
    scores, margins = draw(4, 4), draw(4, 4).detach().abs()
    margins = margins + margins.T
    found = []
    for i in range(4):
        for k in set(range(4)) - {i}:
            of_row = max(float(scores[i, k] - scores[i, i] + margins[i, k]), 0)
            of_column = max(float(scores[k, i] - scores[i, i] + margins[i, k]), 0)
            found.append(of_row + of_column)
    assert float(pair_ranking(scores, margins)) == pytest.approx(sum(found) / 12, abs=1e-9)


def test_the_bound_written_out(draw: Draw) -> None:
    scores = draw(5, 5).tolist()
    apart = [math.exp(scores[i][k]) for i in range(5) for k in range(5) if i != k]
    together = [scores[i][i] for i in range(5)]
    expected = math.log(sum(apart) / len(apart)) - sum(together) / 5
    loss = float(donsker_varadhan(torch.tensor(scores, dtype=torch.float64)))
    assert loss == pytest.approx(expected, abs=1e-9)


def test_a_critic_that_knows_nothing_bounds_nothing() -> None:
    assert float(donsker_varadhan(torch.full((6, 6), 3.0))) == pytest.approx(0.0, abs=1e-6)


@each_loss
def test_masked_pairs_change_nothing(draw: Draw, loss: Loss) -> None:
    scores = draw(5, 5)
    made = loss(scores, mask=MASK)
    kept = scores[MASK][:, MASK]
    assert float(made) == pytest.approx(float(loss(kept)), abs=1e-12)
    made.backward()
    assert scores.grad is not None
    assert not scores.grad[~MASK].any()
    assert not scores.grad[:, ~MASK].any()


@each_loss
def test_those_alike_are_no_rivals(draw: Draw, loss: Loss) -> None:
    scores = draw(5, 5)
    other = scores.detach().clone()
    other[0, 3] = other[3, 0] = 1e4
    assert float(loss(scores, same=SAME)) == pytest.approx(float(loss(other, same=SAME)))
    assert float(loss(scores, same=SAME)) != pytest.approx(float(loss(scores)))
    none = torch.full((5,), -1)
    assert float(loss(scores, same=none)) == pytest.approx(float(loss(scores)))


@each_loss
def test_order_changes_nothing(draw: Draw, loss: Loss) -> None:
    scores, order = draw(5, 5), torch.tensor([3, 0, 4, 2, 1])
    turned = loss(scores[order][:, order], same=SAME[order], mask=MASK[order])
    assert float(turned) == pytest.approx(float(loss(scores, same=SAME, mask=MASK)), abs=1e-12)


@each_loss
@pytest.mark.parametrize("mask", [[1, 0, 0], [0, 0, 0]])
def test_without_a_rival_it_is_zero(draw: Draw, loss: Loss, mask: list[int]) -> None:
    scores = draw(3, 3)
    made = loss(scores, mask=torch.tensor(mask).bool())
    assert float(made) == 0.0
    made.backward()
    assert scores.grad is not None
    assert not scores.grad.any()


@each_loss
def test_gradients_of_pairs(draw: Draw, loss: Loss) -> None:
    assert gradcheck(lambda scores: loss(scores, same=SAME, mask=MASK), draw(5, 5))
