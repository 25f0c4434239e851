"""Pools and projections: by hand, and blind to padding and order."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from fusion.layers.pools import SelfAttentivePool, masked_max, masked_mean, masked_softmax
from fusion.layers.projection import Projection

MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()


def tokens(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(seed))


def test_softmax_of_what_is_there() -> None:
    scores = torch.tensor([[0.0, math.log(3), 9.0], [1.0, 2.0, 3.0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    expected = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(masked_softmax(scores, mask), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_softmax_of_nothing_has_a_gradient(dtype: torch.dtype) -> None:
    scores = torch.randn(2, 3).to(dtype).requires_grad_()
    masked_softmax(scores, torch.zeros(2, 3).bool()).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_largest_of_what_is_there() -> None:
    given = torch.tensor([[[1.0, -5.0], [2.0, -6.0], [9.0, 9.0]], [[7.0, 7.0]] * 3])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_max(given, mask).tolist() == [[2.0, -5.0], [0.0, 0.0]]
    assert masked_mean(given, mask).tolist() == [[1.5, -5.5], [0.0, 0.0]]


def test_heads_weigh_by_hand_and_the_largest_counts() -> None:
    """Two tokens, two heads: the one sees only the first channel, the other only the second."""
    pool = SelfAttentivePool(2, hidden=2, heads=2)
    first, last = pool.score[0], pool.score[2]
    first.weight.data = torch.eye(2)
    last.weight.data = torch.eye(2)
    given = torch.atanh(torch.tensor([[[0.5, 0.0], [0.0, 0.25]]]))
    pooled, weights = pool(given, torch.ones(1, 2).bool())
    near = [math.exp(0.5) / (math.exp(0.5) + 1), math.exp(0.25) / (math.exp(0.25) + 1)]
    expected = torch.tensor([[[near[0], 1 - near[0]], [1 - near[1], near[1]]]])
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(pooled, (expected @ given).amax(1))


def test_padding_and_order_change_nothing() -> None:
    torch.manual_seed(0)
    pool, given = SelfAttentivePool(6, hidden=5, heads=3), tokens()
    pooled, weights = pool(given, MASK)
    other = given.masked_fill(~MASK[..., None], 50.0)
    again, same = pool(other, MASK)
    torch.testing.assert_close(again, pooled)
    torch.testing.assert_close(same, weights)
    order = torch.tensor([2, 0, 3, 1])
    turned, _ = pool(given[:, order], MASK[:, order])
    torch.testing.assert_close(turned, pooled)
    alone, _ = pool(given[:1, :3], MASK[:1, :3])
    torch.testing.assert_close(alone, pooled[:1])
    assert not pooled[2].any()
    torch.testing.assert_close(weights[:2].sum(-1), torch.ones(2, 3))


@pytest.mark.parametrize("hidden", [(), (8,), (8, 7)])
@pytest.mark.parametrize("norm", [None, nn.BatchNorm1d])
def test_projections_are_of_unit_length(hidden: tuple[int, ...], norm: type | None) -> None:
    torch.manual_seed(0)
    layers = Projection(6, 4, hidden, norm)
    shared = layers(tokens()[:, 0])
    torch.testing.assert_close(shared.norm(dim=-1), torch.ones(3))
    linear = [each for each in layers.modules() if isinstance(each, nn.Linear)]
    assert [each.out_features for each in linear] == [*hidden, 4]
    assert not isinstance(list(layers.layers)[-2], nn.ReLU)


def test_one_layer_between_is_written_out() -> None:
    torch.manual_seed(0)
    layers, given = Projection(6, 4, (5,)), tokens()[:, 0]
    first, last = [each for each in layers.modules() if isinstance(each, nn.Linear)]
    expected = last(first(given).relu())
    expected = expected / expected.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(layers(given), expected)
