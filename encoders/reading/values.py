"""Stored values of any type as grey in [0, 1]: one picture gives one array in every type."""

from __future__ import annotations

import numpy as np

from encoders.reading.limits import Grey


def scaled(values: np.ndarray, bits: int = 0) -> Grey:
    """Stored values in [0, 1].

    Whole numbers are divided by the largest of their bits (of 16, where all are that small),
    negative ones are black. Floats are kept where they lie in [0, 1], divided by 255 or 65535
    where they fit, else spread from their lowest to their highest. What is no number stays.

    Args:
        values: Whole numbers or floats.
        bits: Bits a whole number has; 0 = those of its type.
    """
    if values.dtype.kind == "f":
        return _scaled_floats(values.astype(np.float32))
    bits = bits or values.dtype.itemsize * 8 - (values.dtype.kind == "i")
    if bits > 16 and int(values.max()) < 1 << 16:
        bits = 16
    grey: Grey = (np.maximum(values, 0) / (2.0**bits - 1)).astype(np.float32)
    return grey


def in_colour(grey: Grey) -> Grey:
    """A grey picture `[H, W]` as red, green and blue `[3, H, W]`."""
    return np.repeat(grey[None], 3, axis=0)


def planes_first(values: Grey) -> Grey:
    """Colours of pixels `[H, W, 3]` as planes `[3, H, W]`."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def _scaled_floats(values: Grey) -> Grey:
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return values
    if low < 0 or high > 65535:
        return (values - low) / np.float32(max(high - low, 1e-12))
    return values / np.float32(next(top for top in (1, 255, 65535) if high <= top))
