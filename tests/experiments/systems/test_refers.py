"""REFERS: views by hand, what has a gradient, and the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from encoders.batch import StudyBatch
from experiments.systems.refers import Refers
from fusion.losses.info_nce import info_nce
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]
CONTRAST = Stage(objectives={"contrast": 1.0}, monitor="loss")


def _linear(system: Refers) -> torch.nn.Parameter:
    """Weight of the map of the report's vector."""
    return dict(system.named_parameters())["text_projection.layers.0.weight"]


def built(build: Build, name: str = "refers", **options: Any) -> tuple[Refers, StudyBatch]:
    system, batch = build(name, options=options)
    assert isinstance(system, Refers)
    return system, batch


@pytest.mark.parametrize(
    ("real", "views", "chosen"),
    [
        ((1, 1, 0), 3, (0, 1, 0)),
        ((0, 1, 1), 3, (1, 2, 1)),
        ((1, 0, 0), 2, (0, 0)),
        ((1, 1, 1), 2, (0, 1)),
        ((1, 1, 1), 1, (0,)),
    ],
)
def test_images_are_repeated_until_there_are_enough(
    build: Build, real: tuple[int, ...], views: int, chosen: tuple[int, ...]
) -> None:
    system, _ = built(build, views=views)
    assert system.image_tower.chosen(torch.tensor([real]).bool()).tolist() == [list(chosen)]


@torch.no_grad()
def test_views_are_gated_place_by_place_by_hand(build: Build) -> None:
    system, batch = built(build)
    tower, width = system.image_tower, 16
    made, read = tower(batch), tower.reader(batch)
    first = read.tokens[0].unflatten(0, (2, -1))  # the first study has two images
    vectors = tower.reader.pool(first, torch.ones(first.shape[:2]).bool())
    one, other = (first + vectors[:, None]).unbind(0)
    for place in (0, 5):
        gates = tower.gate(torch.cat([one[place], other[place]])).sigmoid()
        torch.testing.assert_close(made.tokens[0, place], one[place] * gates[0])
        torch.testing.assert_close(made.tokens[0, len(one) + place], other[place] * gates[1])
    torch.testing.assert_close(made.pooled[0], vectors.flatten())
    alone = made.pooled[1].view(2, width)  # the second has one, which is repeated
    assert torch.equal(alone[0], alone[1])


def test_the_contrast_is_of_views_side_by_side(build: Build) -> None:
    system, batch = built(build)
    pairs = system.read_pairs(batch)
    unit = torch.nn.functional.normalize(pairs.image.pooled, dim=-1)
    assert unit.shape[1] == pairs.text_vectors.shape[1] == 32
    made = system.losses(batch, CONTRAST)["contrast"]
    expected = info_nce(
        unit, pairs.text_vectors, scale=10.0, weight=0.75, same=pairs.same, mask=pairs.mask
    )
    torch.testing.assert_close(made, expected)


def test_as_released_half_of_it_has_no_gradient(build: Build) -> None:
    gradients = {}
    for released in (False, True):
        system, batch = built(build, as_released=released)
        loss = system.losses(batch, CONTRAST)["contrast"]
        loss.backward()
        gradients[released] = loss.item(), _linear(system).grad
    system, batch = built(build)
    pairs = system.read_pairs(batch)
    (0.75 * system.contrast(pairs, 1.0)).backward()
    assert gradients[True][0] == pytest.approx(gradients[False][0], abs=1e-6)
    half = _linear(system).grad
    torch.testing.assert_close(gradients[True][1], half)
    assert not torch.allclose(gradients[False][1], half)


def test_it_writes_the_reports_it_has_learnt(build: Build) -> None:
    system, batch = built(build)
    assert batch.paired_text is not None
    assert system.decoder is not None
    book = system.decoder.vocabulary
    optimiser = torch.optim.Adam(system.parameters(), 5e-3)
    stage = Stage(objectives={"report": 1.0})
    for _ in range(150):
        optimiser.zero_grad()
        system.losses(batch, stage)["report"].backward()
        optimiser.step()
    truth = [book.decode(words) for words in book.framed(batch.paired_text).tolist()]
    assert system.generate(batch) == truth
    empty = replace(batch, image_mask=torch.zeros_like(batch.image_mask))
    assert system.generate(empty) == [""] * 4


def test_a_run_without_words_says_that_it_cannot_write(build: Build) -> None:
    system, batch = built(build, "refers, fine-tuned")
    with pytest.raises(InputError, match="no words") as caught:
        system.generate(batch)
    assert caught.value.hint
