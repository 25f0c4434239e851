"""Reading of images with more than 8 bits per colour, and of TIFF that Pillow misreads.

Values keep their depth; see `values.py`. Of several pages of a TIFF the first is read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from encoders.reading.limits import Grey, check_size
from encoders.reading.rejected import RejectedImage
from encoders.reading.values import by_rows, scale_of

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SAMPLES = {b"\2": 3, b"\4": 2, b"\6": 4}
"""Samples a pixel by the kind of colour of a PNG: colour, grey with alpha, colour with alpha."""

_WHITE_IS_ZERO, _COLOUR, _PALETTE, _SEPARATED = 0, 2, 3, 5
_ALPHA = 2
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Rotations to upright, by EXIF orientation."""


def read_deep_png(path: Path, image: Image.Image, kind: bytes, *, colour: bool = False) -> Grey:
    """Read a PNG of 16 bits a colour.

    Args:
        path: The file.
        image: The image opened by Pillow.
        kind: Its kind of colour, as the header has it.
        colour: Keep the colours.

    Raises:
        RejectedImage: If it is cut off, or takes too many bytes.
    """
    check_size(path, *image.size, depth=2 * SAMPLES[kind])
    try:
        values = imagecodecs.png_decode(path.read_bytes())
    except Exception:  # the decoder's own kinds of error
        raise RejectedImage(path, "truncated") from None
    scale = scale_of(values)

    def band(top: int, bottom: int) -> Grey:
        shown = scale(values[top:bottom])
        seen, alpha = (shown, None) if shown.shape[2] == 3 else (shown[..., :-1], shown[..., -1])
        picture = _mixed(seen, colour=colour)
        return picture if alpha is None else _faded(picture, alpha)

    return upright(by_rows(len(values), band), image.getexif().get(0x0112, 1))


def read_tiff(path: Path, *, colour: bool = False) -> Grey:
    """Read the first page of a TIFF, in grey `[H, W]` or in colour `[3, H, W]`.

    Raises:
        RejectedImage: If it is cut off, damaged, too large or too small.
    """
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check(path, page)
            stored = np.atleast_3d(page.asarray())
            values = np.moveaxis(stored, 0, -1) if page.axes == "SYX" else stored
            turn = page.tags.get(274)
            return upright(_shown(page, values, colour=colour), int(turn.value) if turn else 1)
    except RejectedImage:
        raise
    except Exception:  # whatever a decoder makes of broken bytes
        raise RejectedImage(path, "damaged") from None


def _check(path: Path, page: Any) -> None:
    """Refuse a page by its header."""
    each = page.dtype.itemsize * page.samplesperpixel
    check_size(path, page.imagewidth, page.imagelength, depth=each)
    if page.dtype.kind not in "buif":
        hint = "save their magnitude as a picture"
        raise RejectedImage(path, "not_an_image", f"values of type {page.dtype}", hint)
    ends = (sum(pair) for pair in zip(page.dataoffsets, page.databytecounts, strict=True))
    if max(ends, default=0) > path.stat().st_size:
        raise RejectedImage(path, "truncated")
    planes = page.samplesperpixel if page.axes == "SYX" else 1
    parts = planes * math.prod(page.chunked)
    if not page.is_contiguous and len(page.dataoffsets) < parts:  # memory would be shown for them
        raise RejectedImage(path, "damaged", "parts of the picture are missing")
    if page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > 8:
        raise RejectedImage(path, "not_an_image", f"axes {page.axes}")


def upright(picture: Grey, orientation: int) -> Grey:
    """An image turned by its EXIF orientation; of colours `[H, W, 3]` come `[3, H, W]`."""
    if picture.ndim == 3:
        return np.stack([upright(plane, orientation) for plane in np.moveaxis(picture, -1, 0)])
    if orientation not in _TURNS:
        return np.ascontiguousarray(picture)
    image = Image.fromarray(np.ascontiguousarray(picture, dtype=np.float32))
    return np.asarray(image.transpose(_TURNS[orientation]))


def _mixed(values: Grey, *, colour: bool) -> Grey:
    """Grey `[H, W]` or colours `[H, W, 3]` of pixels with one value or three."""
    if values.shape[2] == 1:
        return np.repeat(values, 3, axis=2) if colour else values[..., 0]
    return values if colour else values @ LUMA


def _faded(picture: Grey, alpha: Grey) -> Grey:
    """An image over black, by its opacity."""
    return picture * (alpha if picture.ndim == 2 else alpha[..., None])


def _shown(page: Any, values: np.ndarray, *, colour: bool) -> Grey:
    """Grey or colours of stored values `[H, W, samples]`, by the fields of their page."""
    kind, more = int(page.photometric), [int(one) for one in page.extrasamples]
    if kind == _PALETTE and page.colormap is not None:
        # some write a level as v * 256, some as v * 257
        levels = (page.colormap.T >> 8).astype(np.uint8)
        shades = _mixed(scale_of(levels)(levels)[None], colour=colour)[0]
        return by_rows(len(values), lambda top, end: shades[values[top:end, :, 0]])
    stored = page.bitspersample if isinstance(page.bitspersample, int) else 0
    bits = stored if values.dtype.kind in "bu" and stored < values.dtype.itemsize * 8 else 0
    scale = scale_of(values, bits)
    return by_rows(
        len(values), lambda top, end: _seen(scale(values[top:end]), kind, more, colour=colour)
    )


def _seen(shown: Grey, kind: int, more: list[int], *, colour: bool) -> Grey:
    """Grey or colours of samples `[H, W, samples]` in [0, 1], by their kind."""
    if kind == _COLOUR and shown.shape[2] >= 3:
        seen = shown[..., :3]
    elif kind == _SEPARATED and shown.shape[2] >= 4:
        seen = (1 - shown[..., :3]) * (1 - shown[..., 3:4])
    else:
        seen = 1 - shown[..., :1] if kind == _WHITE_IS_ZERO else shown[..., :1]
    picture = _mixed(seen, colour=colour)
    if _ALPHA in more:
        return _faded(picture, shown[..., shown.shape[2] - len(more) + more.index(_ALPHA)])
    return picture
