"""A NIfTI volume in two files: `a.hdr` says what `a.img` holds; either of them names both."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Pair", "pair_of"]

ENDINGS = {".hdr": ".img", ".img": ".hdr", ".hdr.gz": ".img.gz", ".img.gz": ".hdr.gz"}
MAGIC = ((344, b"ni1\0"), (4, b"ni2\0\r\n\x1a\n"))
"""Offset of the mark of such a header, and the mark."""


class Pair(NamedTuple):
    """The two files of a volume."""

    header: Path
    values: Path


def pair_of(path: Path) -> Pair | None:
    """The pair a file belongs to by its name; None where the other file is not beside it."""
    for ending, other in ENDINGS.items():
        if path.name.lower().endswith(ending):
            stem = path.name[: -len(ending)]
            beside = [path.with_name(stem + name) for name in (other, other.upper())]
            found = next((file for file in beside if file.is_file()), None)
            if found is None:
                return None
            return Pair(path, found) if ending.startswith(".hdr") else Pair(found, path)
    return None
