"""Pooling and PCA of tokens, against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.reduce import Reducer, pool_tokens
from kg.errors import InputError


def test_pooling_averages_squares():
    tokens = torch.arange(16.0).reshape(1, 16, 1)
    assert pool_tokens(tokens, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool_tokens(tokens.half(), 1).item() == 7.5
    assert pool_tokens(tokens.expand(2, 3, 16, 1), 2).shape == (2, 3, 4, 1)
    assert torch.equal(pool_tokens(tokens, 0), tokens)
    assert torch.equal(pool_tokens(tokens, 4), tokens)


@pytest.mark.parametrize(("count", "grid"), [(16, 5), (15, 2)])
def test_pooling_needs_a_larger_square(count, grid):
    with pytest.raises(InputError, match="cannot be pooled"):
        pool_tokens(torch.zeros(1, count, 2), grid)


def test_components_are_those_of_the_covariance(tmp_path):
    generator = np.random.default_rng(0)
    hidden = generator.normal(size=(50, 4, 2)) * [5.0, 1.0]
    directions = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]) / [[5.0], [1.0]]
    rows = (hidden @ directions + [1.0, 2.0, 3.0]).astype(np.float16)
    reducer = Reducer.fit(rows, np.random.default_rng(1), 2)
    unit = reducer.components / reducer.components.norm(dim=0)
    torch.testing.assert_close(unit[:, 0].abs(), torch.tensor([0.6, 0.8, 0.0]), atol=5e-2, rtol=0)
    reduced = reducer.apply(torch.from_numpy(rows))
    assert reduced.shape == (50, 4, 2)
    assert reduced.square().mean().item() == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(reduced.mean((0, 1)), torch.zeros(2), atol=1e-3, rtol=0)
    reducer.save(tmp_path / "reducer.safetensors")
    again = Reducer.load(tmp_path / "reducer.safetensors")
    assert torch.equal(again.apply(torch.from_numpy(rows)), reduced)
    assert again.width == 2


def test_the_generator_alone_decides():
    rows = np.random.default_rng(0).normal(size=(20, 5, 8)).astype(np.float16)
    first, second = (Reducer.fit(rows, np.random.default_rng(3), 4, limit=30) for _ in range(2))
    assert torch.equal(first.components, second.components)
    with pytest.raises(InputError, match="cannot be reduced to 9"):
        Reducer.fit(rows, np.random.default_rng(0), 9)
