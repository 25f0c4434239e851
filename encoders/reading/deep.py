"""Pictures of more than 8 bits a colour, and TIFF that Pillow cannot read or reads wrong.

Values keep their depth; see `values.py`. Of several pages of a TIFF the first is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from encoders.reading.limits import Grey, check_size
from encoders.reading.rejected import RejectedImage
from encoders.reading.values import scaled

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
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
"""How a picture is turned upright, by its EXIF orientation."""


def read_deep_png(path: Path, image: Image.Image, *, colour: bool = False) -> Grey:
    """Read a PNG of 16 bits a colour; `image` is what Pillow opened, its size checked."""
    try:
        values = imagecodecs.png_decode(path.read_bytes())
    except Exception:  # the decoder's own kinds of error
        raise RejectedImage(path, "truncated") from None
    shown = scaled(values)
    seen, alpha = (shown, None) if shown.shape[2] == 3 else (shown[..., :-1], shown[..., -1])
    picture = _mixed(seen, colour=colour)
    faded = picture if alpha is None else _faded(picture, alpha)
    return upright(faded, image.getexif().get(0x0112, 1))


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
    check_size(path, page.imagewidth, page.imagelength)
    ends = (sum(pair) for pair in zip(page.dataoffsets, page.databytecounts, strict=True))
    if max(ends, default=0) > path.stat().st_size:
        raise RejectedImage(path, "truncated")
    if page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > 8:
        raise RejectedImage(path, "not_an_image", f"axes {page.axes}")


def upright(picture: Grey, orientation: int) -> Grey:
    """A picture turned as its EXIF orientation asks; of colours `[H, W, 3]` come `[3, H, W]`."""
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
    """A picture over black, as far as it is opaque."""
    return picture * (alpha if picture.ndim == 2 else alpha[..., None])


def _shown(page: Any, values: np.ndarray, *, colour: bool) -> Grey:
    """Grey or colours of stored values `[H, W, samples]`, by what their page says they are."""
    if int(page.photometric) == _PALETTE and page.colormap is not None:
        # some write a level as v * 256, some as v * 257
        levels = (page.colormap.T >> 8).astype(np.uint8)
        return _mixed(scaled(levels[values[..., 0]]), colour=colour)
    stored = page.bitspersample if isinstance(page.bitspersample, int) else 0
    bits = stored if values.dtype.kind == "u" and stored < values.dtype.itemsize * 8 else 0
    shown = scaled(values, bits)
    kind, more = int(page.photometric), [int(one) for one in page.extrasamples]
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
