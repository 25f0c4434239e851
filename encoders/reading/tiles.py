"""Tiles: a big still picture cut into a grid of equal pictures, each shown at the full side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from encoders.reading.limits import Grey

__all__ = ["Tile"]

Edges = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of the grid.

    Args:
        place: Its place, row by row from the upper left corner.
        side: Cells of the grid across, and down.
    """

    place: int
    side: int

    def cut(self, picture: Grey) -> Grey:
        """What it shows of a picture `[H, W]`, or of each of its colours."""
        (top, bottom), (left, right) = self._pixels(picture.shape[-2:])
        return picture[..., top:bottom, left:right]

    def shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the tile of a picture of this height and width."""
        (top, bottom), (left, right) = self._pixels(shape)
        return bottom - top, right - left

    def within(self, box: Edges) -> Edges | None:
        """The part of a box that lies in the tile; None = none of it does.

        Args:
            box: Left, top, right and bottom in shares of the picture.

        Returns:
            The same in shares of the tile.
        """
        down, across = divmod(self.place, self.side)
        corner = (across, down, across, down)
        edges = [edge * self.side - start for edge, start in zip(box, corner, strict=True)]
        left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in edges)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _pixels(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
        """First row and the one after the last, and columns likewise."""
        cell = divmod(self.place, self.side)
        rows, columns = (
            (at * pixels // self.side, (at + 1) * pixels // self.side)
            for at, pixels in zip(cell, shape, strict=True)
        )
        return rows, columns
