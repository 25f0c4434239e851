"""Augmentation: training images cropped, rotated, shifted, blurred and the like, never mirrored.

The side of a finding is part of its meaning, so chest images are never mirrored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from kg.options import Options

if TYPE_CHECKING:
    from encoders.reading.limits import Grey

__all__ = ["Augmentation", "Change", "augment", "draw_change"]

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of an image's sides, from its upper left corner."""


Share = Annotated[float, Field(gt=0, le=1)]


class Augmentation(Options):
    """Augmentation ranges; a number is the largest change either way.

    Args:
        turn: Rotation in degrees.
        shift: Translation as a share of the side.
        zoom: Zoom as a share.
        contrast: Change of contrast around the image's mean, as a share.
        brightness: Added to pixels in [0, 1].
        crop: Least and largest share of the image's area that is cut out, anywhere in it, and
            shown at full size.
        gamma: Change of the exponent of pixels in [0, 1], as a share.
        blur: Largest standard deviation of a Gaussian blur, in pixels.
        erase: Largest share of the area that a rectangle of the image's mean hides.
    """

    turn: float = Field(default=7.0, ge=0, le=180)
    shift: float = Field(default=0.04, ge=0, le=1)
    zoom: float = Field(default=0.08, ge=0, lt=1)
    contrast: float = Field(default=0.2, ge=0, le=1)
    brightness: float = Field(default=0.05, ge=0, le=1)
    crop: tuple[Share, Share] = (1.0, 1.0)
    gamma: float = Field(default=0.0, ge=0)
    blur: float = Field(default=0.0, ge=0)
    erase: float = Field(default=0.0, ge=0, le=0.5)

    @field_validator("crop")
    @classmethod
    def _smaller_first(cls, crop: tuple[float, float]) -> tuple[float, float]:
        if crop[0] > crop[1]:
            raise PydanticCustomError("crop_order", "the smaller share stands first")
        return crop


@dataclass(frozen=True)
class Change:
    """One drawn change of a square image.

    Args:
        matrix: Maps a pixel of the changed image back into the one it was: `(a, b, c, d, e, f)`
            with `x = a x' + b y' + c` and `y = d x' + e y' + f`.
        contrast: Factor around the mean.
        brightness: Added value.
        gamma: Exponent.
        blur: Standard deviation in pixels.
        erased: The hidden rectangle: left, top, right, bottom in pixels; None = nothing is hidden.
    """

    matrix: tuple[float, float, float, float, float, float]
    contrast: float
    brightness: float
    gamma: float = 1.0
    blur: float = 0.0
    erased: tuple[int, int, int, int] | None = None

    def pixels(self, square: Grey) -> Grey:
        """The changed image `[H, W]`, or `[c, H, W]` in several colours, in [0, 1]."""
        moved = np.stack([self._moved(plane) for plane in square.reshape(-1, *square.shape[-2:])])
        moved = moved.reshape(square.shape)
        middle = moved.mean()
        changed = (moved - middle) * self.contrast + middle
        made: Grey = np.clip(changed + self.brightness, 0, 1).astype(np.float32)
        if self.gamma != 1:
            made = made ** np.float32(self.gamma)
        if self.erased is not None:
            left, top, right, bottom = self.erased
            made[..., top:bottom, left:right] = made.mean()
        return made

    def box(self, box: Box, side: int) -> Box | None:
        """The box after the change, around all its corners; None outside the image.

        Args:
            box: The box in the image as it was.
            side: Side of the image in pixels.
        """
        a, b, c, d, e, f = self.matrix
        corners = [(box[x] * side - c, box[y] * side - f) for x in (0, 2) for y in (1, 3)]
        scale = a * e - b * d
        across = [(e * x - b * y) / scale for x, y in corners]
        down = [(a * y - d * x) / scale for x, y in corners]
        edges = (min(across), min(down), max(across), max(down))
        left, top, right, bottom = (min(max(edge / side, 0.0), 1.0) for edge in edges)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _moved(self, plane: Grey) -> Grey:
        from PIL import Image

        image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
        size, bilinear = image.size, Image.Resampling.BILINEAR
        moved = np.asarray(image.transform(size, Image.Transform.AFFINE, self.matrix, bilinear))
        if not self.blur:
            return moved
        from scipy.ndimage import gaussian_filter

        blurred: Grey = gaussian_filter(moved, self.blur, mode="nearest")
        return blurred


def draw_change(
    augmentation: Augmentation, height: int, width: int, generator: np.random.Generator
) -> Change:
    """Draw a change of an image of this size.

    Changes without a range draw no random numbers, so that the others stay the same.
    """
    turn, across, down, zoom, contrast, brightness = generator.uniform(-1, 1, 6)
    angle = math.radians(turn * augmentation.turn)
    factor = 1 + zoom * augmentation.zoom
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    # maps each output pixel back into the input, turning around the centre
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx, dy = across * augmentation.shift * width, down * augmentation.shift * height
    left, top = 0.0, 0.0
    if augmentation.crop != (1.0, 1.0):
        share, crossed, fallen = generator.uniform(0, 1, 3)
        low, high = augmentation.crop
        side = math.sqrt(low + share * (high - low))
        left, top = (crossed - 0.5) * (1 - side) * width, (fallen - 0.5) * (1 - side) * height
        cos, sin = cos * side, sin * side
    matrix = (
        *(cos, sin, x0 - cos * (x0 + dx) - sin * (y0 + dy) + left),
        *(-sin, cos, y0 + sin * (x0 + dx) - cos * (y0 + dy) + top),
    )
    return Change(
        matrix,
        1 + contrast * augmentation.contrast,
        brightness * augmentation.brightness,
        (1 + augmentation.gamma) ** generator.uniform(-1, 1) if augmentation.gamma else 1.0,
        generator.uniform(0, augmentation.blur) if augmentation.blur else 0.0,
        _hidden(augmentation.erase, height, width, generator) if augmentation.erase else None,
    )


def augment(square: Grey, augmentation: Augmentation, generator: np.random.Generator) -> Grey:
    """A changed copy of a square view `[H, W]` or `[c, H, W]`, never mirrored, in [0, 1]."""
    height, width = square.shape[-2:]
    return draw_change(augmentation, height, width, generator).pixels(square)


def _hidden(
    largest: float, height: int, width: int, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """A rectangle of up to this share of the area, at most twice as long as it is wide."""
    share, lean, across, down = generator.uniform(0, 1, 4)
    stretch = 2 ** (lean - 0.5)
    side = math.sqrt(share * largest)
    wide, high = round(min(side * stretch, 1) * width), round(min(side / stretch, 1) * height)
    left, top = round(across * (width - wide)), round(down * (height - high))
    return left, top, left + wide, top + high
