"""Read images that are bare numbers: those of JSRT, 2048 x 2048, 12 bit, dark is high.

Such a file has no header; it is told by its length and by values that all fit in 12 bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from encoders.reading.limits import Grey, check_content
from encoders.reading.rejected import RejectedImage

__all__ = ["LENGTH", "read_raw"]

SIDE = 2048
LENGTH = 2 * SIDE**2
"""Bytes of a file: one big-endian 16-bit number a pixel, row by row."""
TOP = 4095
"""The largest value, which is black."""


def read_raw(path: Path) -> Grey:
    """Grey values `[H, W]` in [0, 1], bright as on film.

    Raises:
        RejectedImage: `not_an_image` if a value has more than 12 bit, `degenerate` if all are
            equal.
    """
    values = np.fromfile(path, ">u2")
    if values.size != SIDE**2 or int(values.max()) > TOP:
        raise RejectedImage(path, "not_an_image")
    grey = (TOP - values.astype(np.float32)) / np.float32(TOP)
    return check_content(path, grey.reshape(SIDE, SIDE))
