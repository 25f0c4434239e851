"""Hidden patches: blocks of cells of each image, masked for a model to rebuild at any scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from kg.errors import InputError

__all__ = ["at_scale", "hide_patches", "side_of"]


def side_of(cells: int) -> int:
    """Side of a square grid of so many cells.

    Raises:
        InputError: If no square has so many.
    """
    side = math.isqrt(cells)
    if side * side != cells:
        raise InputError(
            f"an image has {cells} tokens, which are no square grid",
            "choose an image.encoder that gives a grid, or set image.grid",
        )
    return side


def hide_patches(
    mask: Tensor,
    side: int,
    *,
    block: int = 1,
    rate: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Choose blocks of cells to hide at random.

    Args:
        mask: True where there is an image token, `[B, V * side * side]`.
        side: Side of the grid of an image.
        block: Side of a block in cells; those at the far edges may be cut off.
        rate: Chance of a block to be chosen.
        generator: Source of the draws; None = that of the run.

    Returns:
        True where a cell is hidden, shaped as `mask`.
    """
    images = mask.view(len(mask), -1, side, side)
    blocks = -(-side // block)
    shape = (*images.shape[:2], blocks, blocks)
    chance = torch.rand(shape, generator=generator, device=mask.device)
    cells = (chance < rate).repeat_interleave(block, 2).repeat_interleave(block, 3)
    return (cells[..., :side, :side] & images).view_as(mask)


def at_scale(cells: Tensor, side: int, scale: int) -> Tensor:
    """Means of blocks of cells, `[B, V * n * n, D]`, with `n` blocks along a side.

    Args:
        cells: `[B, V * side * side, D]`.
        side: Side of the grid of an image.
        scale: Side of a block in cells; a block that is cut off has the mean of its cells.
    """
    if scale == 1:
        return cells
    grids = cells.reshape(-1, side, side, cells.shape[-1]).movedim(-1, 1)
    means = F.avg_pool2d(grids, scale, ceil_mode=True)
    return means.movedim(1, -1).reshape(len(cells), -1, cells.shape[-1])
