"""Checks of every image of any format: size before decoding, content after it."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import encoders.reading.quiet  # noqa: F401 - for what it does
from encoders.reading.rejected import RejectedImage
from kg.files.regular import irregular

Grey = NDArray[np.float32]

MAX_PIXELS = 64_000_000
"""Images with more pixels are refused before they are decoded (a large X-ray has 18 million)."""

MAX_BYTES = 4 * MAX_PIXELS
"""Bytes an image may take decoded, and the file of a still image on the disk."""

MAX_PARTS = 20_000
"""Volumes and clips with more slices or frames are refused."""

MIN_SIDE = 8
"""Least side of an image, in pixels."""


def check_size(path: Path, width: int, height: int, depth: int = 4) -> None:
    """Refuse an image by its header alone, before any pixel is decoded.

    Args:
        path: The file, for messages.
        width: Pixels of a row.
        height: Rows.
        depth: Bytes a pixel takes decoded.

    Raises:
        RejectedImage: `too_many_pixels` or `too_small`.
    """
    if width * height > MAX_PIXELS:
        raise RejectedImage(path, "too_many_pixels", f"{width} x {height}, limit {MAX_PIXELS:,}")
    if width * height * depth > MAX_BYTES:
        size = f"{width} x {height} of {depth} bytes each, limit {MAX_BYTES:,} bytes"
        raise RejectedImage(path, "too_many_pixels", size)
    if min(width, height) < MIN_SIDE:
        raise RejectedImage(path, "too_small", f"{width} x {height}")


def check_parts(path: Path, parts: int) -> int:
    """Give the number of slices or frames back if it is one that can be read.

    Raises:
        RejectedImage: `not_an_image` or `too_many_parts`.
    """
    if parts < 1:
        raise RejectedImage(path, "not_an_image", "no slice or frame")
    if parts > MAX_PARTS:
        raise RejectedImage(path, "too_many_parts", f"{parts:,}, limit {MAX_PARTS:,}")
    return parts


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
    """Refuse a path that is missing, is no file or is empty, without opening it; a folder passes.

    Raises:
        RejectedImage: `missing`, `not_readable`, `not_a_file` or `empty`.
    """
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise RejectedImage(path, "missing") from None
    except OSError as error:  # a loop of links, a folder that is shut
        raise RejectedImage(path, "not_readable", error.strerror or "") from None
    if stat.S_ISDIR(about.st_mode):
        return
    if found := irregular(about.st_mode):
        raise RejectedImage(path, "not_a_file", found)
    if about.st_size == 0:
        raise RejectedImage(path, "empty")


def check_bytes(path: Path) -> None:
    """Refuse the file of a still image that is larger than any such image.

    Raises:
        RejectedImage: `too_many_pixels`.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise RejectedImage(path, "too_many_pixels", f"{size:,} bytes, limit {MAX_BYTES:,}")
