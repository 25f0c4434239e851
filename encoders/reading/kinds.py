"""Detection of the kind of a file by its first bytes, never by its ending."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal

from encoders.reading.pair import MAGIC, pair_of

Kind = Literal["raster", "animation", "dicom", "series", "volume", "clip", "slide", "contours"]
"""Still image, animated one, DICOM file, folder of slices, volume, clip, slide, or outlines."""

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF."""

HEADER = 352
"""Bytes of a NIfTI-1 header with its extension flag; more than any other kind needs."""

_CLIPS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (8, b"AVI ", "avi"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
)
"""Offset of a container's mark, the mark, and its demuxer."""

_NIFTI = ((344, b"n+1\0"), (4, b"n+2\0\r\n\x1a\n"), *MAGIC)


def kind_of(path: Path) -> Kind:
    """Kind of a file that exists, or of a folder; what is not known counts as `raster`."""
    if path.is_dir():
        return "series"
    begins = first_bytes(path)
    # without preamble a file opens with an element of group 2 or 8
    if begins[128:132] == b"DICM" or begins[:2] in (b"\x08\x00", b"\x02\x00"):
        return "dicom"
    if begins[:4] == b"GIF8" or (begins[:4] == b"RIFF" and begins[8:12] == b"WEBP"):
        return "animation"
    if begins[:16] == b"SQLite format 3\0":
        return "contours"
    if begins[:4] in TIFF and _is_slide(path):
        return "slide"
    if demuxer_of(begins):
        return "clip"
    if _is_nifti(path, begins):
        return "volume"
    pair = pair_of(path)
    if pair is not None and path == pair.values and _is_nifti(pair.header):
        return "volume"
    return "raster"


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as opened:
        return opened.read(HEADER)


def demuxer_of(begins: bytes) -> str:
    """Name of the demuxer for a clip that begins so; empty = no clip."""
    for at, mark, name in _CLIPS:
        if begins[at : at + len(mark)] == mark:
            return name
    return ""


def _is_slide(path: Path) -> bool:
    """True if a TIFF holds an image at several sizes; one that is damaged is a still image."""
    from encoders.reading.slide import is_slide

    return is_slide(path)


def _is_nifti(path: Path, begins: bytes = b"") -> bool:
    """True if a file is a NIfTI volume, or the header of one."""
    begins = begins or first_bytes(path)
    plain = _unzipped(path) if begins[:2] == b"\x1f\x8b" else begins
    return any(plain[at : at + len(mark)] == mark for at, mark in _NIFTI)


def _unzipped(path: Path) -> bytes:
    try:
        with gzip.open(path) as opened:
            return opened.read(HEADER)
    except (OSError, EOFError, zlib.error):
        return b""
