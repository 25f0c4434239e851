"""Decode one frame of a DICOM file, at full size or smaller, whatever its transfer syntax.

A compressed frame is looked at before it is decoded: a size other than its header's is damage, so
that a small file cannot unpack into a large one. JPEG of 8 bits and JPEG 2000 are decoded at a
half, a quarter or an eighth of their size where that is enough.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array

from encoders.reading.dicom_header import PIXELS, get, whole
from encoders.reading.rejected import Reason, RejectedImage

NATIVE = tuple(f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99"))
"""Transfer syntaxes without compression."""

SHRINKS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 90, 91))
"""Transfer syntaxes that can be decoded smaller: JPEG of 8 bits, JPEG 2000."""

_SIZES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""JPEG markers behind which the size of the picture stands."""


def decode(path: Path, header: Dataset, frame: int, target: int | None = None) -> np.ndarray:
    """One frame as stored: `[H, W]`, or `[H, W, 3]` for colour.

    Args:
        path: The file, for messages.
        header: Its header, with pixels.
        frame: Place of the frame.
        target: Side in pixels it may be decoded at, both sides staying at least that; None = whole.

    Raises:
        RejectedImage: If no decoder is installed, or the frame is cut off or damaged.
    """
    syntax = header.file_meta.TransferSyntaxUID
    if syntax not in NATIVE:
        coded = _coded(path, header, frame)
        smaller = _smaller(header, coded, target) if target and syntax in SHRINKS else None
        if smaller is not None:
            return smaller
    try:
        plugins = get_decoder(syntax).available_plugins
    except NotImplementedError:
        plugins = ()
    if not plugins and syntax not in NATIVE:
        raise RejectedImage(
            path, "needs_decoder", syntax.name, f"install a pydicom plugin for {syntax.name}"
        )
    # Pillow refuses 12-bit JPEG, so pylibjpeg goes first
    for plugin in ("pylibjpeg", "") if "pylibjpeg" in plugins else ("",):
        try:
            decoded: np.ndarray = pixel_array(header, index=frame, decoding_plugin=plugin)
        except Exception:  # noqa: PERF203 - decoders raise whatever they like, and it is not shown
            continue
        return decoded
    raise RejectedImage(path, _broken(header), syntax.name)


def codestream_size(coded: bytes) -> tuple[int, int] | None:
    """Width and height a compressed frame states, None where it is of another kind."""
    start = coded.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0:
        right, bottom, left, top = np.frombuffer(coded[start + 8 : start + 24], ">u4").tolist()
        return right - left, bottom - top
    at = 2
    while coded[:2] == b"\xff\xd8" and at + 9 <= len(coded) and coded[at] == 0xFF:
        if coded[at + 1] in _SIZES:
            height, width = np.frombuffer(coded[at + 5 : at + 9], ">u2").tolist()
            return (width, height) if height else None
        at += 1 if coded[at + 1] == 0xFF else 2 + int.from_bytes(coded[at + 2 : at + 4])
    return None


def _coded(path: Path, header: Dataset, frame: int) -> bytes:
    """Bytes of a compressed frame, whose size is what the header says."""
    offsets = get(header, "ExtendedOffsetTable")
    try:
        coded: bytes = get_frame(
            header.PixelData,
            frame,
            number_of_frames=max(whole(header, "NumberOfFrames"), 1),
            extended_offsets=offsets and (offsets, header.ExtendedOffsetTableLengths),
        )
        size = codestream_size(coded)
    except Exception:  # broken encapsulation
        raise RejectedImage(path, "damaged", "its frames cannot be told apart") from None
    if size is not None and b"\xff\xd9" not in coded[-1024:]:
        # some decoders fill what is missing with grey
        raise RejectedImage(path, "truncated", "a frame has no end")
    stated = whole(header, "Columns"), whole(header, "Rows")
    if size is not None and size != stated:
        said = "{} x {}, while its header says {} x {}".format(*size, *stated)
        raise RejectedImage(path, "damaged", f"a frame is {said}")
    return coded


def _smaller(header: Dataset, coded: bytes, target: int) -> np.ndarray | None:
    """A grey frame decoded smaller, or None where it cannot be."""
    sides = whole(header, "Rows"), whole(header, "Columns")
    if min(sides) < 2 * target or whole(header, "SamplesPerPixel") != 1:
        return None
    try:
        image = Image.open(io.BytesIO(coded), formats=("JPEG", "JPEG2000"))
        if image.format == "JPEG":
            image.draft("L", (target, target))
            return np.asarray(image) if image.mode == "L" else None
        start = coded.index(b"\xff\x4f\xff\x51")
        signed, bits = divmod(coded[start + 42], 128)
        image.reduce = min(3, (min(sides) // target).bit_length() - 1)  # type: ignore[assignment]
        values = np.asarray(image)
    except Exception:  # it is then decoded whole, which tells what is wrong
        return None
    if signed or values.dtype not in (np.uint8, np.uint16) or values.ndim != 2:
        return None
    # Pillow shifts fewer bits up to fill the type
    return values >> (values.dtype.itemsize * 8 - (bits + 1))


def _broken(header: Dataset) -> Reason:
    """Whether a frame that did not decode is cut off or wrong in another way."""
    bits = whole(header, "BitsAllocated") * (whole(header, "SamplesPerPixel") or 1)
    wanted = whole(header, "Rows") * whole(header, "Columns") * bits // 8
    wanted *= max(whole(header, "NumberOfFrames"), 1)
    native = header.file_meta.TransferSyntaxUID in NATIVE
    held = len(get(header, next(field for field in PIXELS if field in header)) or b"")
    return "truncated" if native and held < wanted else "damaged"
