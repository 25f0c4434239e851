"""Drawing primitives: coordinates, soft shapes, strokes, clouds, speckle and boxes.

Coordinates run from -1 to 1 over the square image, `x` to the right and `y` downwards; the
patient's right side is on the left of a chest image, as a reader sees it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from scipy.special import expit

Plane = NDArray[np.floating[Any]]
"""One value for each pixel, `[H, W]`."""

Line = Sequence[tuple[float, float]]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are one past the last pixel."""


@dataclass
class Drawing:
    """A finished image with the box of each finding.

    Args:
        pixels: 8-bit grey image, `[H, W]`.
        boxes: Box of every finding shown, by concept.
    """

    pixels: NDArray[np.uint8]
    boxes: dict[str, Box] = field(default_factory=dict)


def stream(seed: int, *names: str) -> np.random.Generator:
    """A separate random generator for each drawn item.

    The draws of one item never change the others, so an image without one finding is otherwise
    the same image.
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


@lru_cache(maxsize=4)
def plane(size: int) -> tuple[Plane, Plane]:
    """Coordinates `x` and `y` of every pixel, each `[size, size]`."""
    steps = ((np.arange(size, dtype=np.float32) + 0.5) / size) * 2 - 1
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return x, y


def soft(distance: Any, width: float) -> Plane:
    """1 where `distance` is above 0, falling to 0 below it over about `width`."""
    return np.asarray(expit(distance / width), dtype=np.float32)


def highest(*planes: Plane) -> Plane:
    """The largest value of each pixel."""
    return np.asarray(np.maximum.reduce(planes))


def lowest(*planes: Plane) -> Plane:
    """The smallest value of each pixel."""
    return np.asarray(np.minimum.reduce(planes))


def ellipse(
    size: int,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    tilt: float = 0.0,
    width: float = 0.02,
) -> Plane:
    """A soft-edged ellipse, 1 inside and 0 outside, turned clockwise by `tilt` radians."""
    x, y = plane(size)
    x, y = x - centre[0], y - centre[1]
    if tilt:
        c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        x, y = c * x + s * y, c * y - s * x
    reach = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2)
    return soft((1 - reach) * min(radii), width)


def patch(
    size: int,
    centre: tuple[float, float],
    radii: tuple[float, float],
    rng: np.random.Generator,
    *,
    ragged: float = 0.5,
    width: float = 0.03,
) -> Plane:
    """An ellipse with an irregular, cloudy border, as air-space disease has."""
    x, y = plane(size)
    reach = np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)
    reach = reach + ragged * 0.6 * clouds(size, rng, grain=min(radii) * 0.55)
    return soft((1 - reach) * min(radii), width)


def strokes(size: int, lines: Sequence[Line], *, width: float, blur: float = 0.5) -> Plane:
    """Poly-lines of one width (in coordinate units), 1 on the line and 0 beside it."""
    sheet = Image.new("L", (size * 2, size * 2), 0)
    pen = ImageDraw.Draw(sheet)
    pixels = max(1, round(width * size))
    for line in lines:
        points = [((px + 1) * size, (py + 1) * size) for px, py in line]
        pen.line(points, fill=255, width=pixels, joint="curve")
    small = np.asarray(sheet.reduce(2), dtype=np.float32) / 255
    return gaussian_filter(small, blur) if blur else small


def clouds(size: int, rng: np.random.Generator, *, grain: float) -> Plane:
    """Smooth noise of about unit spread whose spots are about `grain` wide."""
    cells = int(np.clip(round(2.0 / max(grain, 0.01)), 2, size)) + 2
    coarse = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def smooth(points: Line) -> Line:
    """The same way with rounded corners (corner cutting, three times)."""
    way = np.asarray(points, dtype=np.float64)
    for _ in range(3):
        near, far = 0.75 * way[:-1] + 0.25 * way[1:], 0.25 * way[:-1] + 0.75 * way[1:]
        middle = np.stack([near, far], axis=1).reshape(-1, 2)
        way = np.concatenate([way[:1], middle[1:-1], way[-1:]])
    return [(float(px), float(py)) for px, py in way]


def curve(start: tuple[float, float], end: tuple[float, float], bend: float) -> Line:
    """A line from `start` to `end` that bows sideways by `bend`."""
    t = np.linspace(0, 1, 14)
    dx, dy = end[0] - start[0], end[1] - start[1]
    bow = bend * 4 * t * (1 - t)
    return list(zip(start[0] + dx * t - dy * bow, start[1] + dy * t + dx * bow, strict=True))


def box_of(layer: Plane, share: float = 0.25) -> Box:
    """The box around all pixels where `layer` exceeds a share of its largest value."""
    strong = layer > share * float(layer.max())
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def expose(
    density: Plane, rng: np.random.Generator, *, noise: float, gamma: float
) -> NDArray[np.uint8]:
    """Turn brightness in about [0, 1] into grey values with film curve and grain."""
    bright = np.clip(density, 0, 1) ** gamma
    grain = rng.standard_normal(density.shape).astype(np.float32) * noise
    return np.asarray(np.clip((bright + grain) * 255, 0, 255), dtype=np.uint8)
