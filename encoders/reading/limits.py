"""Checks every picture passes, whatever its format: size before decoding, content after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.reading.rejected import RejectedImage

Grey = NDArray[np.float32]

MAX_PIXELS = 64_000_000
"""Pictures with more pixels are refused before they are decoded (a large X-ray has 18 million)."""

MIN_SIDE = 8
"""Pictures with a shorter side are refused: nothing can be seen on them."""


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse a picture by its header alone, before any pixel is decoded.

    Raises:
        RejectedImage: `too_many_pixels` or `too_small`.
    """
    if width * height > MAX_PIXELS:
        raise RejectedImage(path, "too_many_pixels", f"{width} x {height}, limit {MAX_PIXELS:,}")
    if min(width, height) < MIN_SIDE:
        raise RejectedImage(path, "too_small", f"{width} x {height}")


def check_content(path: Path, grey: Grey) -> Grey:
    """Give the array back if it shows something.

    Raises:
        RejectedImage: `degenerate` if a value is not finite or all values are equal.
    """
    low, high = float(grey.min()), float(grey.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low == high:
        raise RejectedImage(path, "degenerate")
    return grey


def check_file(path: Path) -> None:
    """Refuse what is not there or has no bytes.

    Raises:
        RejectedImage: `missing` or `empty`.
    """
    if not path.is_file():
        raise RejectedImage(path, "missing")
    if path.stat().st_size == 0:
        raise RejectedImage(path, "empty")
