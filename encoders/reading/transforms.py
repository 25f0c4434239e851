"""Turn a grey picture into what a backbone wants to see: square views, augmentation, normalising.

Chest pictures are never mirrored: which side a finding is on is part of its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
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


def whole(grey: Grey, size: int) -> Grey:
    """The whole picture, aspect kept, centred on a black square."""
    height, width = grey.shape
    scale = size / max(height, width)
    inner = resize(grey, max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.zeros((size, size), np.float32)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square


def squash(grey: Grey, size: int) -> Grey:
    """The whole picture, stretched to the square."""
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


def to_square(grey: Grey, size: int, recipe: str = "whole") -> Grey:
    """A fixed square view `[size, size]` of a picture `[H, W]`, values in [0, 1].

    Raises:
        InputError: If there is no recipe of that name.
    """
    if recipe not in RECIPES:
        raise InputError(f"no view recipe {recipe!r}", did_you_mean(recipe, RECIPES))
    return RECIPES[recipe](grey, size)


def normalise(grey: Grey, preprocessing: Preprocessing) -> Grey:
    """Pixels `[c, H, W]` as the backbone expects them, the grey picture in every channel."""
    mean = np.asarray(preprocessing.mean, np.float32)[:, None, None]
    std = np.asarray(preprocessing.std, np.float32)[:, None, None]
    pixels: Grey = (grey[None].astype(np.float32) - mean) / std
    return pixels


@dataclass(frozen=True)
class Augmentation:
    """How far training pictures are moved about; every value is the largest change either way.

    Args:
        degrees: Rotation in degrees.
        shift: Translation as a share of the side.
        scale: Zoom as a share.
        contrast: Change of contrast around the picture's mean, as a share.
        brightness: Added to pixels in [0, 1].
    """

    degrees: float = 7.0
    shift: float = 0.04
    scale: float = 0.08
    contrast: float = 0.2
    brightness: float = 0.05


def augment(grey: Grey, augmentation: Augmentation, generator: np.random.Generator) -> Grey:
    """A slightly moved copy of a square view `[H, W]`, never mirrored, values in [0, 1]."""
    turn, across, down, zoom, contrast, brightness = generator.uniform(-1, 1, 6)
    height, width = grey.shape
    angle = math.radians(turn * augmentation.degrees)
    factor = 1 + zoom * augmentation.scale
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    # maps each output pixel back into the input, turning around the centre
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx, dy = across * augmentation.shift * width, down * augmentation.shift * height
    matrix = (
        *(cos, sin, x0 - cos * (x0 + dx) - sin * (y0 + dy)),
        *(-sin, cos, y0 + sin * (x0 + dx) - cos * (y0 + dy)),
    )
    image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    moved = np.asarray(
        image.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    )
    middle = moved.mean()
    changed = (moved - middle) * (1 + contrast * augmentation.contrast) + middle
    clipped: Grey = np.clip(changed + brightness * augmentation.brightness, 0, 1)
    return clipped.astype(np.float32)
