"""Patches: squares of pixels, in their order, and nothing that trains."""

from __future__ import annotations

import pytest
import torch

from encoders.image import ImageEncoder
from encoders.image.patches import Patches
from kg.errors import InputError


def test_a_token_is_a_square_of_pixels_row_by_row() -> None:
    part = Patches(Patches.Options(size=32, patch=8))
    assert isinstance(part, ImageEncoder)
    pixels = torch.rand(2, 3, 32, 32)
    tokens = part(pixels)
    assert tokens.shape == (2, 16, part.width)
    assert torch.equal(tokens[1, 6].view(3, 8, 8), pixels[1, :, 8:16, 16:24])


def test_nothing_trains_and_pixels_are_as_they_are() -> None:
    part = Patches(Patches.Options())
    assert part.trainable(-1) == ()
    assert not part.state_dict()
    assert set(part.preprocessing.mean) == {0.0}
    assert set(part.preprocessing.std) == {1.0}
    assert part.weights_hash() != Patches(Patches.Options(patch=8)).weights_hash()


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="100 pixels are no multiple of 16"):
        Patches(Patches.Options(size=100))
