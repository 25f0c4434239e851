"""Turn a grey image into what a backbone wants to see: square views, normalising."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from encoders.reading.limits import Grey
from kg.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from encoders.image import Preprocessing

BLANKED_SHARE = 0.7
"""Share of each side that the `borders` view blanks around the centre."""


def resize(grey: Grey, width: int, height: int) -> Grey:
    """Resize with antialiasing (bicubic), values kept in [0, 1]."""
    if grey.shape == (height, width):
        return grey
    image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    clipped: Grey = np.clip(resized, 0, 1)
    return clipped


def fitted(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """Height and width of an image, aspect kept, within a square of this side."""
    scale = size / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def whole(grey: Grey, size: int) -> Grey:
    """The whole image, aspect kept, centred on a black square."""
    high, wide = fitted(grey.shape, size)
    inner = resize(grey, wide, high)
    square = np.zeros((size, size), np.float32)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square


def squash(grey: Grey, size: int) -> Grey:
    """The whole image, stretched to the square."""
    return resize(grey, size, size)


def borders(grey: Grey, size: int) -> Grey:
    """Only the outer frame: a probe that must not be able to diagnose."""
    height, width = grey.shape
    framed = grey.copy()
    keep = (1 - BLANKED_SHARE) / 2
    framed[
        round(height * keep) : round(height * (1 - keep)),
        round(width * keep) : round(width * (1 - keep)),
    ] = 0
    return whole(framed, size)


RECIPES: dict[str, Callable[[Grey, int], Grey]] = {
    "whole": whole,
    "squash": squash,
    "borders": borders,
}
"""Fixed views by name; the name is part of the feature cache's key."""


def in_square(
    box: tuple[float, float, float, float], shape: tuple[int, int], size: int, recipe: str
) -> tuple[float, float, float, float]:
    """Box of an image in its square view, both in shares of the sides.

    Args:
        box: Left, top, right, bottom.
        shape: Height and width of the image.
        size: Side of the view in pixels.
        recipe: Name of the view.
    """
    if recipe == "squash":
        return box
    wide, high = fitted(shape, size)[::-1]
    left, top = (size - wide) // 2, (size - high) // 2
    across = [(left + edge * wide) / size for edge in box[::2]]
    down = [(top + edge * high) / size for edge in box[1::2]]
    return across[0], down[0], across[1], down[1]


def to_square(grey: Grey, size: int, recipe: str = "whole") -> Grey:
    """A fixed square view `[size, size]` of an image `[H, W]`, or of each of its colours.

    Raises:
        InputError: If there is no recipe of that name.
    """
    if recipe not in RECIPES:
        raise InputError(f"no view recipe {recipe!r}", did_you_mean(recipe, RECIPES))
    view = RECIPES[recipe]
    return view(grey, size) if grey.ndim == 2 else np.stack([view(plane, size) for plane in grey])


def normalise(grey: Grey, preprocessing: Preprocessing) -> Grey:
    """Pixels `[c, H, W]` as the backbone expects them, a grey image in every channel."""
    mean = np.asarray(preprocessing.mean, np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, np.float32)[:, None, None]
    planes = grey if grey.ndim == 3 else grey[None]
    pixels: Grey = (planes.astype(np.float32) - mean) / std
    return pixels
