"""carzero: scores by cross-attention, each way round, and of pairs alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from encoders.batch import Features, StudyBatch
from experiments.systems.carzero import CARZero
from fusion.losses.pair_cross_entropy import pair_cross_entropy
from fusion.system import System

Build = Callable[..., tuple[System, StudyBatch]]


@pytest.fixture
def system(build: Build) -> CARZero:
    made, _ = build("carzero")
    assert isinstance(made, CARZero)
    return made


def features(rows: int, seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(rows, 3, 16, generator=generator)
    mask = torch.ones(rows, 3).bool()
    return Features(tokens, mask, torch.randn(rows, 16, generator=generator))


def test_a_score_is_of_one_pair_alone(system: CARZero) -> None:
    asking, asked = features(4, 1), features(3, 2)
    whole = system.scores(asking, asked)
    assert whole.shape == (4, 3)
    for row, column in ((0, 0), (3, 1), (2, 2)):
        one, other = (
            Features(side.tokens[at : at + 1], side.mask[at : at + 1], side.pooled[at : at + 1])
            for side, at in ((asking, row), (asked, column))
        )
        torch.testing.assert_close(
            system.scores(one, other)[0, 0], whole[row, column], atol=1e-5, rtol=1e-5
        )


def test_similarity_is_the_mean_of_both_ways(system: CARZero) -> None:
    image, text = features(3, 1), features(4, 2)
    expected = (system.scores(text, image).T + system.scores(image, text)) / 2
    torch.testing.assert_close(system.similarity(image, text), expected)
    blind = replace(image, mask=torch.tensor([[True] * 3, [False] * 3, [True] * 3]))
    assert not system.similarity(blind, text)[1].any()


def test_the_loss_finds_partners_by_both_ways_of_asking(build: Build) -> None:
    system, batch = build("carzero")
    assert isinstance(system, CARZero)
    pairs = system.read_pairs(batch)
    ways = (
        system.scores(pairs.text, pairs.image).T,
        system.scores(pairs.image, pairs.text),
    )
    expected = sum(float(pair_cross_entropy(way, same=pairs.same, mask=pairs.mask)) for way in ways)
    assert float(system.cross_contrast(pairs)) == pytest.approx(expected / 2, abs=1e-6)
    assert expected > 0
