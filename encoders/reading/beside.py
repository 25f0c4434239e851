"""Check of the blocks of an image file before it is decoded: their lengths, and PNG's checksums.

Texts, colour profiles and the like are read whole by the libraries before a pixel is decoded, and
none of them is used; a file that holds more of them than any camera writes is refused. The decoder
of PNG passes over the checksums of pixels, so that a damaged file would show another picture.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from encoders.reading.rejected import RejectedImage

__all__ = ["check_beside"]

MOST = 16 << 20
"""Bytes beside the pixels."""

MOST_BLOCKS = 50_000
"""Blocks of any kind."""

PIECE = 1 << 20
"""Bytes of pixels read at a time for their checksum."""

Block = tuple[bytes, int]
"""Kind and length."""


def check_beside(path: Path) -> None:
    """Refuse PNG, JPEG, JPEG 2000 and WebP with too much beside the pixels, or an endless block.

    Raises:
        RejectedImage: `too_much_beside`, `truncated`, or `damaged` for a wrong checksum of PNG.
    """
    with path.open("rb", buffering=0) as file:
        begins = file.read(12)
        walk = next((_WALKS[mark] for mark in _WALKS if begins.startswith(mark)), None)
        if walk is None:
            return
        beside, size = 0, os.fstat(file.fileno()).st_size
        for count, (kind, length) in enumerate(walk(file)):
            if kind == _WRONG:
                raise RejectedImage(path, "damaged", "a checksum of its pixels is wrong")
            if length > size:  # the libraries make room for all of it
                raise RejectedImage(path, "truncated")
            beside += 0 if kind in _PIXELS else length
            if beside > MOST or count > MOST_BLOCKS:
                said = f"{beside:,} bytes in {count + 1:,} blocks"
                raise RejectedImage(path, "too_much_beside", said)


def _png(file: FileIO) -> Iterator[Block]:
    """Chunks; one of pixels whose checksum is wrong is followed by `_WRONG`."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4]), head[4:]
        yield kind, length
        if kind == b"IEND":
            return
        if kind != b"IDAT":
            file.seek(length + 4, os.SEEK_CUR)
            continue
        sum_, left = zlib.crc32(kind), length
        while left and (piece := file.read(min(left, PIECE))):
            sum_, left = zlib.crc32(piece, sum_), left - len(piece)
        if not left and len(said := file.read(4)) == 4 and int.from_bytes(said) != sum_:
            yield _WRONG, 0


def _jpeg(file: FileIO) -> Iterator[Block]:
    """Segments up to the first scan."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != 0xDA:
        length = int.from_bytes(head[2:])
        yield head[1:2], length
        file.seek(max(length - 2, 0), os.SEEK_CUR)


def _webp(file: FileIO) -> Iterator[Block]:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[4:], "little")
        yield head[:4], length
        file.seek(length + length % 2, os.SEEK_CUR)


def _jp2(file: FileIO) -> Iterator[Block]:
    """Boxes up to the coded image, also those within the header."""
    file.seek(0)
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4]), head[4:]
        if length == 1:  # the length follows
            length = int.from_bytes(file.read(8)) - 8
        yield kind, length
        if kind == b"jp2c" or length == 0:
            return
        if kind != b"jp2h":
            file.seek(max(length - 8, 0), os.SEEK_CUR)


_WALKS: dict[bytes, Callable[[FileIO], Iterator[Block]]] = {
    b"\x89PNG": _png,
    b"\xff\xd8": _jpeg,
    b"RIFF": _webp,
    b"\0\0\0\x0cjP  ": _jp2,
}
_WRONG = b""
"""Kind of what follows a chunk with a wrong checksum."""

_PIXELS = (b"IDAT", b"fdAT", b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"jp2c")
