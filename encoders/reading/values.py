"""Stored values of any type as grey in [0, 1]: one image gives one array in every type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from encoders.reading.limits import Grey

ROWS = 256
"""Rows that are worked on at a time."""


def by_rows(height: int, band: Callable[[int, int], Grey]) -> Grey:
    """An image `[H, W]` or `[H, W, 3]` made a few rows at a time, so that no more is held.

    Args:
        height: Its rows.
        band: Gives the rows from one number up to another.
    """
    first = band(0, min(ROWS, height))
    picture = np.empty((height, *first.shape[1:]), np.float32)
    picture[: len(first)] = first
    for top in range(ROWS, height, ROWS):
        bottom = min(top + ROWS, height)
        picture[top:bottom] = band(top, bottom)
    return picture


def scale_of(values: np.ndarray, bits: int = 0) -> Callable[[np.ndarray], Grey]:
    """Function from stored values to grey in [0, 1], for any number of them at a time.

    Whole numbers are divided by the largest of their bits (of 16, where all are that small),
    negative ones are black. Floats are kept where they lie in [0, 1], divided by 255 or 65535
    where they fit, else spread from their lowest to their highest. What is no number stays.

    Args:
        values: All of them: whole numbers or floats.
        bits: Bits a whole number has; 0 = those of its type.
    """
    if values.dtype.kind == "f":
        low, high = values.min().astype(np.float32), values.max().astype(np.float32)
        return _float_scale(float(low), float(high))
    bits = bits or values.dtype.itemsize * 8 - (values.dtype.kind == "i")
    if bits > 16 and int(values.max()) < 1 << 16:
        bits = 16

    def scale(some: np.ndarray) -> Grey:
        grey: Grey = (np.maximum(some, 0) / (2.0**bits - 1)).astype(np.float32)
        return grey

    return scale


def in_colour(grey: Grey) -> Grey:
    """A grey image `[H, W]` as red, green and blue `[3, H, W]`."""
    return np.repeat(grey[None], 3, axis=0)


def planes_first(values: Grey) -> Grey:
    """Colours of pixels `[H, W, 3]` as planes `[3, H, W]`."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def _float_scale(low: float, high: float) -> Callable[[np.ndarray], Grey]:
    if not (np.isfinite(low) and np.isfinite(high)):
        return lambda some: some.astype(np.float32)
    if low < 0 or high > 65535:
        width = max(high - low, 1e-12)
    else:
        low, width = 0.0, float(next(top for top in (1, 255, 65535) if high <= top))
    return lambda some: (some.astype(np.float32) - np.float32(low)) / np.float32(width)
