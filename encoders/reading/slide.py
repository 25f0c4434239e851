"""Slide: tissue of a scanned glass slide as tiles, from the pyramid of an SVS or OME-TIFF file.

A scanner stores a slide at several sizes in one TIFF. It is read at the size whose pixels are
nearest to `MICRONS` (the largest, where the file does not tell), in squares of `TILE` pixels. A
tile is a part of the slide if enough of it is tissue by the smallest size: glass is white, tissue
is stained. The images beside the pyramid are never read: the label of the glass names the patient.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import tifffile
from numpy.typing import NDArray

from encoders.reading.deep import LUMA
from encoders.reading.limits import (
    MAX_BYTES,
    MAX_PIXELS,
    Grey,
    check_parts,
    check_size,
)
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About
from encoders.reading.values import planes_first

__all__ = ["Slide", "is_slide"]

TILE = 256
"""Side of a tile in pixels."""
MICRONS = 1.0
"""Micrometres a pixel of the size that is read, 10-fold magnification."""
STAINED = 0.07
"""Least saturation of tissue: largest less smallest colour, in shares of the largest."""
TISSUE = 0.3
"""Least share of tissue in a tile."""
_LARGEST = 64 << 10
"""Characters of a description that are looked through."""
_SCALE = re.compile(r"\bMPP\s*=\s*([0-9.]+)")
_OME_SCALE = re.compile(r'\bPhysicalSizeX="([0-9.eE+-]+)"')
_OME_UNIT = re.compile(r'\bPhysicalSizeXUnit="([^"]+)"')
_UNITS = {"nm": 1e-3, "\u00b5m": 1.0, "\u03bcm": 1.0, "um": 1.0, "mm": 1e3}
_BROKEN = (OSError, ValueError, IndexError, KeyError, TypeError, ParseError, AttributeError)
"""What tifffile makes of a damaged file, beside its own errors."""


def is_slide(path: Path) -> bool:
    """True if a TIFF holds one image at several sizes."""
    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.series) and len(file.series[0].levels) > 1
    except (tifffile.TiffFileError, *_BROKEN):
        return False


class Slide:
    """An opened slide.

    Args:
        path: The file.
        colour: Give tiles in red, green and blue `[3, H, W]`.

    Raises:
        RejectedImage: If it is cut off, damaged, too large, of other channels than red, green and
            blue, or without tissue.
    """

    def __init__(self, path: Path, *, colour: bool = False) -> None:
        self.path, self.colour = path, colour
        with tifffile.TiffFile(path) as file:
            levels = file.series[0].levels
            scale = _microns(file)
            pages = [self._checked(level) for level in levels]
            widths = [page.imagewidth for page in pages]
            self.level = 0
            if scale:
                off = [abs(math.log(scale * widths[0] / width / MICRONS)) for width in widths]
                self.level = off.index(min(off))
            page = pages[self.level]
            self.grid = -(-page.imagelength // TILE), -(-page.imagewidth // TILE)
            check_size(path, *_sides(pages[-1]), depth=3)
            stained = _stained(self._whole(pages[-1]))
        self.places = self._tissue(stained, page)
        if not self.places:
            raise RejectedImage(path, "degenerate", "no tissue on the glass")
        spacing = (scale * widths[0] / widths[self.level] / 1000,) * 2 if scale else None
        parts = check_parts(path, len(self.places))
        self.about = About(parts, "pathology", spacing)

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Tiles, `[H, W]` or `[3, H, W]` in [0, 1]; a tile at the edge goes on in white.

        Args:
            parts: Their places among the tiles of tissue.
            target: Unused: tiles are small.
            window: Unused.

        Raises:
            RejectedImage: If they cannot be read.
        """
        with tifffile.TiffFile(self.path) as file:
            page = file.series[0].levels[self.level].keyframe
            whole = None if page.is_tiled else self._whole(page)
            for part in parts:
                down, across = (TILE * place for place in self.places[part])
                pixels = (
                    self._region(page, down, across)
                    if whole is None
                    else whole[down : down + TILE, across : across + TILE]
                )
                tile = np.full((TILE, TILE, 3), 255, np.uint8)
                tile[: pixels.shape[0], : pixels.shape[1]] = pixels
                shown = tile.astype(np.float32) / np.float32(255)
                yield planes_first(shown) if self.colour else (shown @ LUMA).astype(np.float32)

    def _checked(self, level: Any) -> Any:
        """The page of a size, refused by its header if it cannot be read."""
        page = level.keyframe
        if len(level.pages) != 1 or page.axes != "YXS" or page.dtype != np.uint8:
            hint = "save it in red, green and blue of 8 bits"
            raise RejectedImage(self.path, "not_an_image", f"axes {level.axes}", hint)
        if page.samplesperpixel not in (3, 4):
            raise RejectedImage(self.path, "not_an_image", f"{page.samplesperpixel} colours")
        size = self.path.stat().st_size
        ends = (sum(pair) for pair in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > size:
            raise RejectedImage(self.path, "truncated")
        if len(page.dataoffsets) < math.prod(page.chunked):
            raise RejectedImage(self.path, "damaged", "parts of the picture are missing")
        if page.is_tiled and page.tilewidth * page.tilelength * page.samplesperpixel > MAX_BYTES:
            raise RejectedImage(self.path, "too_many_pixels", "a single tile")
        return page

    def _whole(self, page: Any) -> NDArray[np.uint8]:
        """A small size, decoded at once."""
        check_size(self.path, *_sides(page), depth=3)
        pixels: NDArray[np.uint8] = page.asarray()[..., :3]
        return pixels

    def _region(self, page: Any, down: int, across: int) -> NDArray[np.uint8]:
        """A tile of a size, from the stored tiles it lies in."""
        bottom = min(down + TILE, page.imagelength)
        right = min(across + TILE, page.imagewidth)
        made = np.full((bottom - down, right - across, 3), 255, np.uint8)
        high, wide = page.tilelength, page.tilewidth
        columns = -(-page.imagewidth // wide)
        for row in range(down // high, -(-bottom // high)):
            for column in range(across // wide, -(-right // wide)):
                stored = self._stored(page, row * columns + column)
                if stored is None:
                    continue
                top, left = row * high, column * wide
                rows = slice(max(down, top), min(bottom, top + stored.shape[0]))
                cells = slice(max(across, left), min(right, left + stored.shape[1]))
                made[
                    rows.start - down : rows.stop - down, cells.start - across : cells.stop - across
                ] = stored[
                    rows.start - top : rows.stop - top, cells.start - left : cells.stop - left
                ]
        return made

    def _stored(self, page: Any, index: int) -> NDArray[np.uint8] | None:
        """A stored tile; None where the scanner left it out, as bare glass."""
        count = page.databytecounts[index]
        if count == 0:
            return None
        handle = page.parent.filehandle
        handle.seek(page.dataoffsets[index])
        pixels, _, shape = page.decode(handle.read(count), index, jpegtables=page.jpegtables)
        if pixels is None:
            return None
        stored: NDArray[np.uint8] = pixels[0, : shape[1], : shape[2], :3]
        return stored

    def _tissue(self, stained: NDArray[np.bool_], page: Any) -> list[tuple[int, int]]:
        """Row and column of the tiles with enough tissue, row by row."""
        high, wide = stained.shape
        rows, columns = self.grid
        if rows * columns > MAX_PIXELS // TILE:
            raise RejectedImage(self.path, "too_many_parts", f"{rows} x {columns} tiles")
        tops = [row * TILE * high // page.imagelength for row in range(rows)] + [high]
        lefts = [column * TILE * wide // page.imagewidth for column in range(columns)] + [wide]
        return [
            (row, column)
            for row in range(rows)
            for column in range(columns)
            if _share(stained[tops[row] : tops[row + 1], lefts[column] : lefts[column + 1]])
            >= TISSUE
        ]


def _sides(page: Any) -> tuple[int, int]:
    """Width and height."""
    return page.imagewidth, page.imagelength


def _share(cell: NDArray[np.bool_]) -> float:
    return float(cell.mean()) if cell.size else 0.0


def _stained(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where pixels `[H, W, 3]` are of stained tissue."""
    high, low = pixels.max(-1).astype(np.float32), pixels.min(-1)
    tissue: NDArray[np.bool_] = (high - low) > STAINED * np.maximum(high, 1)
    return tissue


def _microns(file: tifffile.TiffFile) -> float:
    """Micrometres a pixel of the largest size; 0 where the file does not tell."""
    text = str(file.pages.first.description or "")[:_LARGEST]
    found = _SCALE.search(text)
    unit = 1.0
    if found is None:
        found, named = _OME_SCALE.search(text), _OME_UNIT.search(text)
        unit = _UNITS.get(named[1], 0.0) if named else 1.0
    try:
        scale = float(found[1]) * unit if found else 0.0
    except ValueError:
        return 0.0
    return scale if 0.01 < scale < 100 else 0.0
