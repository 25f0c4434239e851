"""Liao: the critic written out, its best region, and the two bounds by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch
from experiments.systems.liao import Critic, Liao
from fusion.system import System

Build = Callable[..., tuple[System, StudyBatch]]
MASK = torch.tensor([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()


@pytest.fixture
def critic() -> Critic:
    torch.manual_seed(3)
    return Critic(4, (6, 5)).double()


@pytest.fixture
def sides() -> tuple[Tensor, Tensor]:
    """Regions of four pictures, and four sentences."""
    generator = torch.Generator().manual_seed(4)
    return (
        torch.randn(4, 3, 4, dtype=torch.float64, generator=generator),
        torch.randn(4, 4, dtype=torch.float64, generator=generator),
    )


def test_a_sentence_has_the_score_of_its_best_region(
    critic: Critic, sides: tuple[Tensor, Tensor]
) -> None:
    regions, sentences = sides
    weight = torch.cat([critic.of_region.weight, critic.of_sentence.weight], 1)
    made = critic(regions, MASK, sentences)
    for image in range(3):
        for text in range(4):
            each = [
                critic.further(
                    F.linear(
                        torch.cat([region, sentences[text]]), weight, critic.of_region.bias
                    ).relu()[None]
                )
                for region in regions[image][MASK[image]]
            ]
            assert float(made[image, text]) == pytest.approx(max(map(float, each)), abs=1e-9)
    assert not made[3].any()


def test_padding_and_order_change_no_score(critic: Critic, sides: tuple[Tensor, Tensor]) -> None:
    regions, sentences = sides
    made = critic(regions, MASK, sentences)
    wide = critic(F.pad(regions, (0, 0, 1, 2), value=9.0), F.pad(MASK, (1, 2)), sentences)
    torch.testing.assert_close(wide, made)
    order, of_regions = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    turned = critic(regions[order][:, of_regions], MASK[order][:, of_regions], sentences[order])
    torch.testing.assert_close(turned, made[order][:, order])


def test_gradients_of_the_critic(critic: Critic, sides: tuple[Tensor, Tensor]) -> None:
    regions, sentences = (side.requires_grad_() for side in sides)
    assert gradcheck(lambda r, s: critic(r, MASK, s), (regions, sentences))


@pytest.mark.parametrize("bound", ["info_nce", "donsker_varadhan"])
def test_the_bound_by_hand(build: Build, bound: str) -> None:
    """Scores of a picture (row) and a sentence (column); the last picture is not there."""
    system, _ = build("liao", options={"bound": bound})
    assert isinstance(system, Liao)
    scores = torch.tensor([[2.0, 0.5, 9.0], [1.0, 3.0, 9.0], [9.0, 9.0, 9.0]])
    system.critics["local_information"] = Told(scores)
    there = torch.tensor([[True], [True], [False]])
    image = Features(torch.zeros(3, 1, 4), there, torch.zeros(3, 4))
    text = Features(torch.zeros(3, 1, 4), torch.ones(3, 1).bool(), torch.zeros(3, 4))
    same = torch.tensor([[0, 5], [1, 6], [2, 7]])
    loss = float(system.information("local_information", image, text, same))
    if bound == "info_nce":  # each sentence against the pictures: down the columns
        told = [math.log(1 + math.exp(1.0 - 2.0)), math.log(1 + math.exp(0.5 - 3.0))]
        assert loss == pytest.approx(sum(told) / 2, abs=1e-6)
    else:
        apart = math.log((math.exp(0.5) + math.exp(1.0)) / 2)
        assert loss == pytest.approx(apart - (2.0 + 3.0) / 2, abs=1e-6)


@pytest.mark.parametrize("name", ["liao", "liao, as a whole"])
def test_a_study_without_a_sentence_changes_nothing(build: Build, name: str) -> None:
    system, batch = build(name)
    assert batch.paired_text is not None
    none = replace(batch.paired_text, mask=batch.paired_text.mask.clone())
    none.mask[1] = False
    (stage,) = system.stages
    (one,) = system.losses(replace(batch, paired_text=none), stage).values()
    words = none.words.clone() if none.words is not None else torch.zeros(0)
    words[1] = 3
    (other,) = system.losses(replace(batch, paired_text=replace(none, words=words)), stage).values()
    torch.testing.assert_close(one, other)
    (whole,) = system.losses(batch, stage).values()
    assert not torch.allclose(one, whole)


class Told(torch.nn.Module):
    """A critic that has been told its scores."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, regions: Tensor, mask: Tensor, sentences: Tensor) -> Tensor:
        return self.scores
