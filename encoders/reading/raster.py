"""Read JPEG, PNG, TIFF and BMP of every bit depth and colour mode as one grey array in [0, 1].

How values become [0, 1], so that one picture gives one array however it was saved:

- 1, 2, 4 and 8 bit: by 255 after Pillow has spread the fewer bits over it; palettes are looked up.
- 16 bit: by 65535 (the range of the type, not of the picture; never clipped to 8 bit).
- 32-bit integers: by 65535 where they fit, else by 2**31 - 1; negative values are black.
- 32-bit floats: kept where they lie in [0, 1]; by 255 or 65535 where they fit; else by their own
  lowest and highest value.
- Colour, CMYK: luma (0.299 R + 0.587 G + 0.114 B). Transparency: over black.
- A picture with an EXIF orientation is turned upright. Of several frames the first is read.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from encoders.reading.limits import Grey, check_content, check_file, check_size
from encoders.reading.rejected import Reason, RejectedImage

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "PPM", "WEBP")
"""Formats that are tried; others (that start programs or hide archives) are not opened at all."""

MAGIC: tuple[bytes, ...] = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"II*\x00",
    b"MM\x00*",
    b"BM",
    b"GIF8",
    b"RIFF",
)
"""First bytes of those formats: a file that begins so and cannot be opened is cut off."""

DECODING = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


def read_raster(path: Path, *, target: int | None = None) -> Grey:
    """Read one picture.

    Args:
        path: The file; its type is told by its content, not by its ending.
        target: Side in pixels the picture will be resized to. A large JPEG is then decoded at a
            half, a quarter or an eighth of its size, both sides staying at least `target`.

    Returns:
        Grey values `[H, W]` in [0, 1].

    Raises:
        RejectedImage: If it is missing, empty, cut off, no picture, too large or small, or blank.
    """
    check_file(path)
    image = open_raster(path)
    with image:
        check_size(path, *image.size)
        if target is not None and image.format == "JPEG" and image.mode in ("L", "RGB"):
            image.draft("L", (target, target))
        try:
            upright = ImageOps.exif_transpose(image)
            upright.load()
        except DECODING as error:
            raise RejectedImage(path, reason_of(error)) from None
        return check_content(path, grey_of(upright))


def open_raster(path: Path) -> Image.Image:
    """Open by content; nothing is decoded yet."""
    try:
        return Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedImage(path, "too_many_pixels") from None
    except UnidentifiedImageError:
        with path.open("rb") as file:
            begins = file.read(16)
        cut_off = begins.startswith(MAGIC)
        raise RejectedImage(path, "truncated" if cut_off else "not_an_image") from None
    except DECODING:
        raise RejectedImage(path, "truncated") from None


def reason_of(error: Exception) -> Reason:
    """Whether a picture that does not decode is cut off or wrong in another way."""
    text = str(error)
    return "truncated" if "trunc" in text or isinstance(error, EOFError) else "damaged"


def grey_of(image: Image.Image) -> Grey:
    """Grey values of a decoded picture, by its mode."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if mode == "I":
        return _from_integers(np.asarray(image))
    if mode == "F":
        return _from_floats(np.asarray(image, dtype=np.float32))
    if "transparency" in image.info or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = _over_black(image)
    elif mode not in ("L", "RGB", "1"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255)


def _over_black(image: Image.Image) -> Image.Image:
    opaque = image.convert("RGBA")
    black = Image.new("RGB", opaque.size)
    black.paste(opaque, mask=opaque.getchannel("A"))
    return black


def _from_integers(values: np.ndarray) -> Grey:
    high = 65535 if values.max() <= 65535 else 2**31 - 1
    scaled: Grey = (np.maximum(values, 0) / high).astype(np.float32)
    return scaled


def _from_floats(values: Grey) -> Grey:
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return values
    if low < 0 or high > 65535:
        return (values - low) / np.float32(max(high - low, 1e-12))
    for top in (1.0, 255.0, 65535.0):
        if high <= top:
            return values / np.float32(top)
    return values
