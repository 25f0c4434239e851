"""Placing of maps: from the model's square view back to the geometry of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.reading.tiles import Tile
from encoders.reading.transforms import fitted
from experiments.metrics.arrays import FloatArray

__all__ = ["SIDE", "on_picture", "picture_grid"]

SIDE = 64
"""Places of a map along the longer side of a picture."""


def picture_grid(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a map of a picture of this height and width, its aspect kept."""
    return fitted(shape, SIDE)


def on_picture(
    square: FloatArray, shape: tuple[int, int], *, size: int, recipe: str, tile: Tile | None = None
) -> FloatArray:
    """Values of a square view on the places of its picture, NaN outside the tile.

    Args:
        square: `[h, w]`, laid evenly over the square view.
        shape: Height and width of the picture in pixels.
        size: Side of the view in pixels.
        recipe: Name of the view.
        tile: Tile of the picture that the view shows; None = all of it.
    """
    grid = picture_grid(shape)
    rows, columns = ((np.arange(places) + 0.5) / places for places in grid)
    if tile is not None:
        down, across = divmod(tile.place, tile.side)
        rows, columns = rows * tile.side - down, columns * tile.side - across
        shape = tile.shape(shape)
    values = np.full(grid, np.nan)
    inside = np.ix_(_within(rows), _within(columns))
    values[inside] = square[
        np.ix_(
            *(
                _cells(shares[_within(shares)], place, shape, (size, recipe), square.shape[place])
                for place, shares in enumerate((rows, columns))
            )
        )
    ]
    return values


def _within(shares: FloatArray) -> NDArray[np.bool_]:
    return np.asarray((shares >= 0) & (shares < 1))


def _cells(
    shares: FloatArray, axis: int, shape: tuple[int, int], view: tuple[int, str], cells: int
) -> NDArray[np.intp]:
    """Cell of the square view at each share of a side of the picture."""
    size, recipe = view
    if recipe != "squash":
        side = fitted(shape, size)[axis]
        shares = ((size - side) // 2 + shares * side) / size
    return np.minimum((shares * cells).astype(np.intp), cells - 1)
