"""Pointing: overlap of image maps with the boxes of findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from experiments.metrics.arrays import FloatArray
from experiments.metrics.sums import Metric, StudySums, share

__all__ = ["POINTING_METRICS", "covered", "pointing_sums"]


def pointing_sums(maps: Sequence[ArrayLike], boxes: Sequence[ArrayLike]) -> StudySums:
    """Numbers of each image with boxes, for the sums.

    Args:
        maps: A map of each image, at least 0, `[H, W]`; of any size.
        boxes: Its marked boxes `[k, 4]`: left, upper, right and lower edge, as shares of width and
            height; an image without one does not count.

    Raises:
        ValueError: If a map is negative, or missing somewhere.
    """
    rows = [
        _one(np.asarray(each, dtype=np.float64), np.asarray(marked, dtype=np.float64))
        for each, marked in zip(maps, boxes, strict=True)
    ]
    return StudySums(("marked", "hit", "energy", "area"), np.array(rows).reshape(-1, 4))


POINTING_METRICS: Mapping[str, Metric] = {
    "pointing_game": share("hit", "marked"),
    "energy_in_box": share("energy", "marked"),
    "chance": share("area", "marked"),
}
"""Metrics of `pointing_sums`: share of images whose maximum lies in a box, mean share of the map in
a box, and mean share of the image in a box, which a constant map reaches."""


def covered(boxes: ArrayLike, shape: tuple[int, int]) -> FloatArray:
    """Share of each cell of a map `[H, W]` that lies in a box.

    Args:
        boxes: Left, upper, right and lower edges as shares, `[k, 4]`; of overlapping boxes the
            larger share of a cell counts.
        shape: Height and width of the map.
    """
    left, upper, right, lower = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    across, down = _overlap(left, right, shape[1]), _overlap(upper, lower, shape[0])
    return np.asarray((down[:, :, None] * across[:, None]).max(axis=0, initial=0.0))


def _overlap(low: FloatArray, high: FloatArray, cells: int) -> FloatArray:
    """Share of each of some equal cells between two edges, `[k, cells]`."""
    edges = np.arange(cells + 1) / cells
    inside = np.minimum(edges[1:], high[:, None]) - np.maximum(edges[:-1], low[:, None])
    return np.asarray(np.maximum(inside, 0.0) * cells)


def _one(values: FloatArray, boxes: FloatArray) -> tuple[float, float, float, float]:
    """Marked, hit, energy and area of one image."""
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("a map has a missing or negative place")
    if not boxes.size:
        return 0.0, 0.0, 0.0, 0.0
    inside = covered(boxes, (values.shape[0], values.shape[1]))
    total = values.sum()
    energy = float((values * inside).sum() / total) if total > 0 else 0.0
    # Several maxima count in equal shares.
    return 1.0, float(inside[values == values.max()].mean()), energy, float(inside.mean())
