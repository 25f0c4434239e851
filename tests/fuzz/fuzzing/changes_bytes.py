"""Changes to binary files: to numbers and blocks of a known layout, and to any byte."""

from __future__ import annotations

from random import Random

from fuzzing.layouts import FLOATS, Layout

LARGEST = 1 << 20
"""Bytes a file grows to at most."""

_TEXTS = (
    *(b"nan", b"inf", b"-inf", b"1e308", b"1e-320", b"-1", b"0", b"", b"abc", b"1\\2", b"\\\\"),
    *(b"99999999999", b"0.1.2", b" ", b"\0", b"\xff\xfe", b"^", b"MONOCHROME9", b"1.2.840.10008"),
)


def changed(file: bytes, layout: Layout, others: list[bytes], draw: Random) -> bytes:
    """One change, chosen at random.

    Args:
        file: The file.
        layout: Its layout, as far as earlier changes left it in place.
        others: Sound files of the same format, to take blocks from.
        draw: Source of the choices.
    """
    kinds = ["byte", "byte", "bits", "big", "cut", "double", "pad"]
    kinds += ["number"] * 10 if layout.numbers else []
    kinds += ["block"] * 6 if layout.blocks else []
    kinds += ["text"] * 3 if layout.texts else []
    kind = draw.choice(kinds)
    if kind == "number":
        return _number(file, layout, draw)
    if kind == "block":
        return _block(file, layout, others, draw)
    if kind == "text":
        start, end = draw.choice(layout.texts)
        value = draw.choice(_TEXTS)[: end - start]
        return file[:start] + value.ljust(end - start) + file[end:]
    return _anywhere(bytearray(file), kind, draw)


def _number(file: bytes, layout: Layout, draw: Random) -> bytes:
    at, size, order = draw.choice(layout.numbers)
    now = int.from_bytes(file[at : at + size], order)
    top = 1 << (8 * size)
    values = [0, 1, 2, top - 1, top // 2, top // 2 - 1, now + 1, now - 1, now * 2, now // 2]
    values += [draw.randrange(top), draw.randrange(256), len(file), now ^ (1 << draw.randrange(16))]
    value = (draw.choice(values) % top).to_bytes(size, order)
    if size == 4 and draw.random() < 0.3:
        value = draw.choice(FLOATS)
    return file[:at] + value + file[at + size :]


def _block(file: bytes, layout: Layout, others: list[bytes], draw: Random) -> bytes:
    start, end = draw.choice(layout.blocks)
    block, before, after = file[start:end], file[:start], file[end:]
    kind = draw.choice(
        ("drop", "double", "many", "swap", "short", "zero", "ones", "noise", "other")
    )
    if kind == "drop":
        block = b""
    elif kind == "double":
        block *= 2
    elif kind == "many":
        block *= min(draw.choice((10, 1000, 60_000)), max(LARGEST // max(len(block), 1), 1))
    elif kind == "swap":
        first, last = draw.choice(layout.blocks)
        if last <= start:
            return file[:first] + block + file[last:start] + file[first:last] + after
    elif kind == "short":
        block = block[: draw.randrange(len(block) + 1)]
    elif kind == "other":
        whole = draw.choice(others)
        at = draw.randrange(len(whole))
        block = whole[at : at + len(block)]
    else:
        fills = {"zero": bytes(len(block)), "ones": b"\xff" * len(block)}
        head = draw.choice((0, 4, 8, 12))
        block = block[:head] + fills.get(kind, draw.randbytes(len(block)))[head:]
    return (before + block + after)[: 2 * LARGEST]


def _anywhere(file: bytearray, kind: str, draw: Random) -> bytes:
    """A change of some bytes; the front is hit as often as all the rest."""
    near = draw.random() < 0.5
    at = draw.randrange(min(len(file), 400) if near else len(file))
    if kind == "byte":
        file[at] = draw.randrange(256)
    elif kind == "bits":
        file[at] ^= 1 << draw.randrange(8)
    elif kind == "big":
        file[at : at + 4] = draw.choice((b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80"))
    elif kind == "cut":
        del file[at : at + draw.choice((1, 2, 8, 100))]
    elif kind == "double":
        file[at:at] = file[at : at + draw.choice((1, 2, 8, 100))]
    else:
        file += draw.choice((bytes(100), draw.randbytes(100), bytes(70_000)))
    return bytes(file)
