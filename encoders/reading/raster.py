"""Read JPEG, PNG, TIFF, BMP and more, of every bit depth and colour, as grey in [0, 1].

How values become [0, 1], so that one image gives one array however it was saved:

- 1, 2, 4 and 8 bit: by 255 after Pillow has spread the fewer bits over it; palettes are looked up.
- 12 and 16 bit, grey or colour: by the largest value of the bits (65535 for 16), not of the
  image; never clipped to 8 bit.
- 32-bit integers: by 65535 where they fit, else by the largest value of their bits; negative values
  are black.
- Floats: kept where they lie in [0, 1]; by 255 or 65535 where they fit; else by their own lowest
  and highest value.
- Colour, CMYK: luma (0.299 R + 0.587 G + 0.114 B). Transparency: over black.
- TIFF in which white is 0 is inverted.
- A grey PNG of 16 bits all of whose values are such as CT has, plus 32768 (DeepLesion): by a window
  of CT, as slices of DICOM.
- An image without header, of JSRT's bare 12-bit numbers, by 4095 and inverted; see `raw.py`.
- An image with an EXIF orientation is turned upright. Of several frames the first is read.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from encoders.reading.beside import check_beside
from encoders.reading.jpeg import check_jpeg
from encoders.reading.kinds import TIFF, first_bytes
from encoders.reading.limits import Grey, check_bytes, check_content, check_file, check_size
from encoders.reading.raw import LENGTH, read_raw
from encoders.reading.rejected import Reason, RejectedImage
from encoders.reading.values import by_rows, in_colour, planes_first, scale_of
from encoders.reading.windowing import window_named

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "PPM", "WEBP", "JPEG2000")
"""Formats that are tried; others (that start programs or hide archives) are not opened at all."""

DEEP_PNG = (b"\x10\2", b"\x10\4", b"\x10\6")
"""Depth and kind of PNG whose 16 bits Pillow cuts to 8: colour, and grey or colour with alpha."""

MAGIC: tuple[bytes, ...] = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    *TIFF,
    b"BM",
    b"GIF8",
    b"RIFF",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  ",
)
"""First bytes of those formats: a file that begins so and cannot be opened is cut off."""

CT_ZERO, CT_SPAN = 32768, 4096
"""Stored value of 0 HU in a PNG of CT, and the largest distance of others from it."""

DECODING = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError)


def read_raster(
    path: Path, *, target: int | None = None, colour: bool = False, window: str = ""
) -> Grey:
    """Read one image.

    Args:
        path: The file; its type is told by its content, not by its ending.
        target: Side in pixels the image will be resized to. A large JPEG or JPEG 2000 is then
            decoded at a half, a quarter or an eighth of its size, both sides staying at least
            `target`.
        colour: Keep the colours.
        window: Name of a CT window, where it is a slice of CT; empty = the lung window.

    Returns:
        Grey values `[H, W]` in [0, 1]; red, green and blue `[3, H, W]` where colours are kept.

    Raises:
        RejectedImage: If it is missing, empty, cut off, no image, too large or small, or blank.
    """
    check_file(path)
    begins = first_bytes(path)
    if begins[:4] in TIFF and not _reads_tiff(path):
        from encoders.reading.deep import read_tiff

        check_bytes(path)
        return check_content(path, read_tiff(path, colour=colour))
    try:
        image = open_raster(path)
    except RejectedImage as error:
        if error.reason == "not_an_image" and path.stat().st_size == LENGTH:
            return in_colour(read_raw(path)) if colour else read_raw(path)
        raise
    with image:
        check_size(path, *image.size)
        if begins[:4] == MAGIC[1][:4] and begins[24:26] in DEEP_PNG:
            from encoders.reading.deep import read_deep_png

            return check_content(path, read_deep_png(path, image, begins[25:26], colour=colour))
        if image.format == "JPEG":
            check_jpeg(path, path.read_bytes())
        if target is not None:
            _shrink(image, target, "RGB" if colour else "L")
        try:
            image.load()  # a TIFF is turned here, and its orientation forgotten
            ImageOps.exif_transpose(image, in_place=True)
        except DECODING as error:
            raise RejectedImage(path, reason_of(error)) from None
        if (
            image.format == "PNG"
            and image.mode.startswith("I")
            and (values := _of_ct(image)) is not None
        ):
            shown = window_named(window or "lung").apply(values)
            return check_content(path, in_colour(shown) if colour else shown)
        return check_content(path, colours_of(image) if colour else grey_of(image))


def raster_shape(path: Path) -> tuple[int, int]:
    """Height and width of an image as it is shown, by its header where Pillow reads it.

    Raises:
        RejectedImage: If it is no image.
    """
    tiff = first_bytes(path)[:4] in TIFF
    unread = not _reads_tiff(path) if tiff else path.stat().st_size == LENGTH
    if unread:
        height, width = read_raster(path).shape
        return height, width
    with open_raster(path) as image:
        width, height = image.size
        # that of a TIFF is turned already
        turned = not tiff and image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)
    return (width, height) if turned else (height, width)


def _shrink(image: Image.Image, target: int, mode: str) -> None:
    """Have an image decoded at a half, a quarter or an eighth, where its format can."""
    if image.format == "JPEG" and image.mode in ("L", "RGB"):
        image.draft(mode, (target, target))
    elif image.format == "JPEG2000" and min(image.size) >= 2 * target:
        levels = (min(image.size) // target).bit_length() - 1
        image.reduce = min(3, levels)  # type: ignore[assignment, method-assign]


def _reads_tiff(path: Path) -> bool:
    """True if Pillow reads a TIFF correctly.

    It does with up to 8 bits a colour, colours side by side, and rows that stay rows when turned.
    """
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            tags = image.tag_v2  # type: ignore[attr-defined]
            deep = max(tags.get(258, (1,))) > 8
            return not (deep or tags.get(284, 1) != 1 or tags.get(274, 1) > 4)
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, *DECODING):
        return False


def open_raster(path: Path) -> Image.Image:
    """Open by content; nothing is decoded yet.

    Raises:
        RejectedImage: If it is no such image, or its file is larger than one can be.
    """
    check_file(path)
    check_bytes(path)
    check_beside(path)
    try:
        return Image.open(path, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RejectedImage(path, "too_many_pixels") from None
    except UnidentifiedImageError:
        with path.open("rb") as file:
            begins = file.read(16)
        cut_off = begins.startswith(MAGIC)
        raise RejectedImage(path, "truncated" if cut_off else "not_an_image") from None
    except DECODING as error:
        raise RejectedImage(path, reason_of(error)) from None


def reason_of(error: Exception) -> Reason:
    """Kind of fault of an image that does not decode: cut off, or damaged."""
    text = str(error)
    return "truncated" if "trunc" in text or isinstance(error, EOFError) else "damaged"


def grey_of(image: Image.Image) -> Grey:
    """Grey values of a decoded image, by its mode."""
    if image.mode[0] in "IF":
        values = np.asarray(image)
        scale = scale_of(values, bits=16)
        return by_rows(image.height, lambda top, bottom: scale(values[top:bottom]))
    return by_rows(image.height, lambda top, bottom: _band(image, top, bottom, "L"))


def _of_ct(image: Image.Image) -> Grey | None:
    """HU of a slice of CT stored as HU + 32768; None for any other image."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low == high or low < CT_ZERO - CT_SPAN or high > CT_ZERO + CT_SPAN:
        return None
    return values.astype(np.float32) - np.float32(CT_ZERO)


def colours_of(image: Image.Image) -> Grey:
    """Red, green and blue `[3, H, W]` of a decoded image; a grey one three times."""
    if image.mode[0] in "IF":
        return in_colour(grey_of(image))
    colours = by_rows(image.height, lambda top, bottom: _band(image, top, bottom, "RGB"))
    return planes_first(colours)


def _band(image: Image.Image, top: int, bottom: int, mode: str) -> Grey:
    """Some rows of an image, in grey or in colour."""
    rows = _opaque(image.crop((0, top, image.width, bottom))).convert(mode)
    return np.asarray(rows).astype(np.float32) / np.float32(255)


def _opaque(image: Image.Image) -> Image.Image:
    """An image in grey, black and white, or red, green and blue, over black."""
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _over_black(image)
    return image if image.mode in ("L", "RGB", "1") else image.convert("RGB")


def _over_black(image: Image.Image) -> Image.Image:
    opaque = image.convert("RGBA")
    black = Image.new("RGB", opaque.size)
    black.paste(opaque, mask=opaque.getchannel("A"))
    return black
