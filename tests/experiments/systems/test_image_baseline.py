"""The image baseline: what its networks share, and the mean that they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from encoders.batch import StudyBatch
from encoders.image import IMAGE_ENCODERS
from experiments.systems.image_baseline import ImageBaseline
from fusion.needs import NO_NEEDS
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import make_batch, make_setting

Build = Callable[..., tuple[System, StudyBatch]]


def test_a_study_is_the_mean_of_its_pictures(build: Build) -> None:
    system, batch = build("image_baseline", options={"hidden": []})
    assert batch.image_tokens is not None
    line = system.networks[0].head[-1]
    for place, row in enumerate(batch.image_mask):
        mean = batch.image_tokens[place][row].flatten(0, 1).mean(0)
        torch.testing.assert_close(system.logits(batch)[place], line(mean))


def test_one_network_for_each_finding_shares_no_weight() -> None:
    part = IMAGE_ENCODERS.load("tiny_cnn")
    encoder = part(part.Options(size=32))
    tokens, width = encoder.grid()
    setting = replace(
        make_setting(NO_NEEDS), image_encoder=encoder, image_tokens=tokens, image_width=width
    )
    system = ImageBaseline(ImageBaseline.Options(networks="one_each"), setting)
    batch = replace(
        make_batch(make_setting(NO_NEEDS), NO_NEEDS),
        image_tokens=None,
        pixels=torch.randn(4, 2, 1, 32, 32),
    )
    assert system.networks[0].backbone is encoder
    one = replace(batch, targets=torch.full((4, 3), float("nan")))
    one.targets[:, 1] = 1.0
    system.losses(one, Stage())["classification"].backward()
    reached = [
        any(weight.grad.any() for weight in network.parameters() if weight.grad is not None)
        for network in system.networks
    ]
    assert reached == [False, True, False]


def test_it_is_refused_without_pictures(build: Build) -> None:
    with pytest.raises(InputError, match="pictures") as caught:
        build("image_baseline", lacks={"image_width": 0})
    assert caught.value.hint
