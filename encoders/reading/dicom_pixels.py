"""Decoding of a DICOM frame of any transfer syntax, at full size or smaller.

A compressed frame is looked at before it is decoded: a size other than its header's is damage, so
that a small file cannot unpack into a large one. JPEG of 8 bits and JPEG 2000 are decoded at a
half, a quarter or an eighth of their size where that is enough. Of every value only the bits that
the header calls stored are kept, in all syntaxes.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder, pixel_array

from encoders.reading.dicom_header import PIXELS, get, whole
from encoders.reading.jpeg import check_jpeg
from encoders.reading.rejected import Reason, RejectedImage

BASELINE = "1.2.840.10008.1.2.4.50"
"""The transfer syntax of JPEG of 8 bits."""

NATIVE = tuple(f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99"))
"""Transfer syntaxes without compression."""

SHRINKS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 90, 91))
"""Transfer syntaxes that can be decoded smaller: JPEG of 8 bits, JPEG 2000."""

LOSSY = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203))
"""Transfer syntaxes whose values need not be those that were put in."""

_SIZES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""JPEG markers behind which the size of the image stands."""


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
    held = whole(header, "BitsAllocated")
    if syntax not in NATIVE:
        coded, stated = _coded(path, header, frame)
        held = stated.bits if stated else held
        # what is not stored cannot be taken out of values that were averaged
        shrinks = target and syntax in SHRINKS and held <= whole(header, "BitsStored")
        smaller = _smaller(header, coded, target) if target and shrinks else None
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
            decoded: np.ndarray = pixel_array(
                header, index=frame, decoding_plugin=plugin, correct_unused_bits=False
            )
        except Exception:  # noqa: PERF203 - decoders raise whatever they like, and it is not shown
            continue
        return _stored_bits(path, header, decoded, held)
    raise RejectedImage(path, _broken(header), syntax.name)


class Codestream(NamedTuple):
    """Header of a compressed frame: size in pixels, bits of a value."""

    width: int
    height: int
    bits: int


def codestream(coded: bytes) -> Codestream | None:
    """Header of a compressed frame; None for another kind."""
    start = coded.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0:
        right, bottom, left, top = np.frombuffer(coded[start + 8 : start + 24], ">u4").tolist()
        return Codestream(right - left, bottom - top, coded[start + 42] % 128 + 1)
    at = 2
    while coded[:2] == b"\xff\xd8" and at + 9 <= len(coded) and coded[at] == 0xFF:
        if coded[at + 1] in _SIZES:
            height, width = np.frombuffer(coded[at + 5 : at + 9], ">u2").tolist()
            return Codestream(width, height, coded[at + 4]) if height else None
        at += 1 if coded[at + 1] == 0xFF else 2 + int.from_bytes(coded[at + 2 : at + 4])
    return None


def _stored_bits(path: Path, header: Dataset, values: np.ndarray, held: int) -> np.ndarray:
    """The stored bits of every value: those that end at the high bit, and none beyond it.

    Args:
        path: The file, for messages.
        header: Its header.
        values: Values as decoded.
        held: Bits of a value in the file: those allocated, or those of a compressed frame.

    Raises:
        RejectedImage: If the stored bits are not where the header says.
    """
    stored, high = whole(header, "BitsStored"), whole(header, "HighBit")
    beyond = values.dtype.itemsize * 8 - stored
    if values.dtype.kind == "f" or beyond <= 0:
        return values
    # a frame of no more than the stored bits has nothing below them, whatever its header says
    unused = max(high - stored + 1, 0) if held > stored else 0
    if unused and high >= held:
        detail = f"HighBit is {high}, while a value has {held} bits"
        raise RejectedImage(path, "damaged", detail, "export it again, HighBit below BitsAllocated")
    if header.file_meta.TransferSyntaxUID in LOSSY and held > stored:
        return _near(path, values >> unused, stored)
    return values << (beyond - unused) >> beyond


def _near(path: Path, values: np.ndarray, stored: int) -> np.ndarray:
    """Values of a lossy frame, cut to what the stored bits hold; no bit of them is exact."""
    low = -(2 ** (stored - 1)) if values.dtype.kind == "i" else 0
    high, slack = low + 2**stored - 1, 2**stored // 4
    if values.min() < low - slack or values.max() > high + slack:
        raise RejectedImage(path, "damaged", f"lossy values beyond the {stored} bits of BitsStored")
    return values.clip(low, high)


def _coded(path: Path, header: Dataset, frame: int) -> tuple[bytes, Codestream | None]:
    """Bytes of a compressed frame, whose size is what the header says, and what they state."""
    offsets = get(header, "ExtendedOffsetTable")
    try:
        coded: bytes = get_frame(
            header.PixelData,
            frame,
            number_of_frames=max(whole(header, "NumberOfFrames"), 1),
            extended_offsets=offsets and (offsets, header.ExtendedOffsetTableLengths),
        )
        stated = codestream(coded)
    except Exception:  # broken encapsulation
        raise RejectedImage(path, "damaged", "its frames cannot be told apart") from None
    if stated is None:
        return coded, None
    if b"\xff\xd9" not in coded[-1024:]:
        # some decoders fill what is missing with grey
        raise RejectedImage(path, "truncated", "a frame has no end")
    size = whole(header, "Columns"), whole(header, "Rows")
    if stated[:2] != size:
        said = "{} x {}, while its header says {} x {}".format(*stated[:2], *size)
        raise RejectedImage(path, "damaged", f"a frame is {said}")
    if header.file_meta.TransferSyntaxUID == BASELINE:
        check_jpeg(path, coded)
    return coded, stated


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
    """Kind of fault of a frame that did not decode: cut off, or damaged."""
    bits = whole(header, "BitsAllocated") * (whole(header, "SamplesPerPixel") or 1)
    wanted = whole(header, "Rows") * whole(header, "Columns") * bits // 8
    wanted *= max(whole(header, "NumberOfFrames"), 1)
    native = header.file_meta.TransferSyntaxUID in NATIVE
    held = len(get(header, next(field for field in PIXELS if field in header)) or b"")
    return "truncated" if native and held < wanted else "damaged"
