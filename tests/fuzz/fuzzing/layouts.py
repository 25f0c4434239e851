"""Layouts of binary formats: where the whole numbers of a file stand, and where its blocks do.

A layout is found in a sound file and says nothing of a damaged one.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["big", "little"]


@dataclass
class Layout:
    """Places in a file.

    Args:
        numbers: Offset, size in bytes and byte order of each number.
        blocks: Start and end of each block (chunk, segment, box, element); they may be nested.
        texts: Start and end of values that are written as text.
    """

    numbers: list[tuple[int, int, Order]] = field(default_factory=list)
    blocks: list[tuple[int, int]] = field(default_factory=list)
    texts: list[tuple[int, int]] = field(default_factory=list)

    def run(self, start: int, sizes: str, order: Order) -> None:
        """Numbers of the given sizes (`1224`), one after the other."""
        for size in map(int, sizes):
            self.numbers.append((start, size, order))
            start += size


def png(file: bytes) -> Layout:
    """Chunks, their lengths, and the fields of the header."""
    layout = Layout()
    for start, kind, end in _png_chunks(file):
        layout.blocks.append((start, end))
        layout.run(start, "4", "big")
        layout.run(start + 8, "4411111" if kind == b"IHDR" else "1111", "big")
    return layout


def _png_chunks(file: bytes) -> Iterator[tuple[int, bytes, int]]:
    at = 8
    while at + 8 <= len(file):
        length = int.from_bytes(file[at : at + 4])
        end = min(at + 12 + length, len(file))
        yield at, file[at + 4 : at + 8], end
        at = end


def sealed_png(file: bytes) -> bytes:
    """The same file with the checksum of every chunk put right."""
    made = bytearray(file[:8])
    for start, _, end in _png_chunks(file):
        body = file[start + 4 : max(end - 4, start + 8)]
        made += file[start : start + 4] + body + zlib.crc32(body).to_bytes(4)
    return bytes(made)


def jpeg(file: bytes) -> Layout:
    """Segments with the fields at their front, and the parts of a scan between its restarts."""
    layout, at = Layout(), 2
    while at + 4 <= len(file) and file[at] == 0xFF:
        length = int.from_bytes(file[at + 2 : at + 4])
        end = min(at + 2 + length, len(file))
        layout.blocks.append((at, end))
        layout.run(at, "112", "big")
        frame = 0xC0 <= file[at + 1] <= 0xCF and file[at + 1] not in (0xC4, 0xC8, 0xCC)
        layout.run(at + 4, "1221111111" if frame else "1" * min(12, end - at - 4), "big")
        if file[at + 1] == 0xDA:
            following = _after_scan(file, end)
            layout.blocks.append((end, following))
            end = following
        at = end
    return layout


def _after_scan(file: bytes, at: int) -> int:
    while at + 1 < len(file) and not (
        file[at] == 0xFF and file[at + 1] and not 0xD0 <= file[at + 1] <= 0xD7
    ):
        at += 1
    return at


def tiff(file: bytes) -> Layout:
    """Entries of every directory, their numbers, and the links from one to the next."""
    order: Order = "little" if file[:2] == b"II" else "big"
    layout = Layout([(4, 4, order)])
    at = int.from_bytes(file[4:8], order)
    for _ in range(8):
        if not 8 <= at < len(file) - 2:
            break
        entries = int.from_bytes(file[at : at + 2], order)
        layout.run(at, "2", order)
        for place in range(at + 2, at + 2 + 12 * entries, 12):
            layout.blocks.append((place, place + 12))
            layout.run(place, "2244", order)
        link = at + 2 + 12 * entries
        layout.run(link, "4", order)
        at = int.from_bytes(file[link : link + 4], order)
    return layout


def riff(file: bytes) -> Layout:
    """Chunks of WebP and AVI, lists within lists, and the numbers at their fronts."""
    layout = Layout([(4, 4, "little")])

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            length = int.from_bytes(file[at + 4 : at + 8], "little")
            stop = min(at + 8 + length + length % 2, end)
            layout.blocks.append((at, stop))
            layout.run(at + 4, "4", "little")
            if file[at : at + 4] == b"LIST":
                walk(at + 12, stop)
            else:
                layout.run(at + 8, "4" * min(10, (stop - at - 8) // 4), "little")
            at = stop

    walk(12, len(file))
    return layout


_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta")


def boxes(file: bytes) -> Layout:
    """Boxes of MP4, nested, with the numbers at their fronts."""
    layout = Layout()

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            length = int.from_bytes(file[at : at + 4])
            stop = min(at + max(length, 8), end)
            layout.blocks.append((at, stop))
            layout.run(at, "4", "big")
            if file[at + 4 : at + 8] in _HOLDERS:
                walk(at + 8, stop)
            else:
                layout.run(at + 8, "4" * min(12, (stop - at - 8) // 4), "big")
            at = stop

    walk(0, len(file))
    return layout


_WITHIN = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\xae", b"\xa0")
"""Elements of Matroska that hold others: segment, cluster, tracks, track, group of blocks."""


def matroska(file: bytes) -> Layout:
    """Elements of WebM, nested, with their lengths and the bytes at their fronts."""
    layout = Layout()

    def walk(at: int, end: int) -> None:
        while at < end and file[at]:
            body = at + 9 - file[at].bit_length()
            if body >= end or not file[body]:
                return
            size = 9 - file[body].bit_length()
            stated = int.from_bytes(file[body : body + size]) & ((1 << 7 * size) - 1)
            first, stop = body + size, min(body + size + stated, end)
            layout.blocks.append((at, stop))
            layout.run(body, "1" * size, "big")
            if file[at:body] in _WITHIN:
                walk(first, stop)
            else:
                layout.run(first, "1" * min(8, stop - first), "big")
            at = stop

    walk(0, len(file))
    return layout


def bmp(file: bytes) -> Layout:
    """The header."""
    layout = Layout(blocks=[(0, 14), (14, 54), (54, len(file))])
    layout.run(2, "4444", "little")
    layout.run(18, "4422444444", "little")
    return layout


def gif(file: bytes) -> Layout:
    """The screen, and stretches of the rest."""
    layout = Layout(blocks=[(at, at + 32) for at in range(13, len(file) - 32, 32)])
    layout.run(6, "22111", "little")
    for at in range(13, len(file)):
        if file[at] in (0x2C, 0x21):
            layout.run(at + 1, "22221", "little")
    return layout


def nifti(file: bytes) -> Layout:
    """The header's fields; floats among them are numbers of four bytes."""
    order: Order = "little" if file[:4] == b"\x5c\1\0\0" else "big"
    layout = Layout(blocks=[(0, 348), (344, 352), (352, len(file))])
    layout.run(0, "4", order)
    layout.run(40, "22222222", order)
    layout.run(68, "2222", order)
    layout.run(76, "4" * 11, order)
    layout.run(120, "21144", order)
    layout.run(252, "22" + "4" * 18, order)
    return layout


_LONG = (b"OB", b"OW", b"OF", b"OD", b"SQ", b"UT", b"UN", b"UC", b"UR")
_TEXTS = (b"DS", b"IS", b"CS", b"UI", b"LO", b"SH", b"PN", b"AS", b"DA", b"TM", b"LT", b"ST")


def dicom(file: bytes) -> Layout:
    """Elements with explicit representation: tags, lengths, numbers and texts."""
    layout, at = Layout(), 132
    while at + 8 <= len(file):
        kind = file[at + 4 : at + 6]
        head = 12 if kind in _LONG else 8
        size = 4 if kind in _LONG else 2
        length = int.from_bytes(file[at + head - size : at + head], "little")
        end = min(at + head + (0 if length == 0xFFFFFFFF else length), len(file))
        layout.blocks.append((at, end))
        layout.run(at, "22", "little")
        layout.numbers.append((at + head - size, size, "little"))
        if kind in (b"US", b"SS"):
            layout.numbers.append((at + head, 2, "little"))
        elif kind in _TEXTS and end > at + head:
            layout.texts.append((at + head, end))
        if length == 0xFFFFFFFF:  # compressed frames, one item after the other
            layout.numbers += [(place + 4, 4, "little") for place in _items(file, end)]
            layout.blocks.append((end, len(file)))
            break
        at = end
    return layout


def _items(file: bytes, at: int) -> Iterator[int]:
    while file[at : at + 4] in (b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"):
        yield at
        at += 8 + int.from_bytes(file[at + 4 : at + 8], "little")


def zipped(layout: Callable[[bytes], Layout], file: bytes) -> Layout:
    """Layout of what a .gz holds."""
    return layout(gzip.decompress(file))


FLOATS = [
    struct.pack("<f", value)
    for value in (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -1.0, 1e30, 1e-40, 3e38)
]
"""Values of numbers of four bytes that may be floats."""
