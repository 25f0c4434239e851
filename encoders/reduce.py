"""Fewer and shorter image tokens: pooling to a smaller grid, and PCA fitted on training tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from kg.errors import InputError

__all__ = ["Reducer", "pool_tokens"]


def pool_tokens(tokens: Tensor, grid: int, pool: Literal["mean", "mean_max"] = "mean") -> Tensor:
    """Pool the tokens of a square grid into a smaller one.

    Args:
        tokens: `[..., S, D]`, row by row, `S` a square number.
        grid: Side of the smaller grid; 0 keeps the tokens as they are.
        pool: Mean of each cell, or its mean and maximum side by side (twice the width).

    Returns:
        Tokens `[..., grid * grid, D]`.

    Raises:
        InputError: If the tokens form no square grid, or one smaller than `grid`.
    """
    *before, count, width = tokens.shape
    if grid == 0:
        return tokens
    side = math.isqrt(count)
    if side * side != count or grid > side:
        raise InputError(
            f"{count} image tokens cannot be pooled to a grid of {grid} x {grid}",
            f"set image.grid to 0 or at most {side}",
        )
    maps = tokens.reshape(-1, side, side, width).permute(0, 3, 1, 2).float()
    pooled = adaptive_avg_pool2d(maps, (grid, grid))
    if pool == "mean_max":
        pooled = torch.cat([pooled, adaptive_max_pool2d(maps, (grid, grid))], 1)
    return pooled.flatten(2).transpose(1, 2).reshape(*before, grid * grid, -1).to(tokens.dtype)


@dataclass(frozen=True)
class Reducer:
    """Principal components of image tokens.

    Args:
        mean: Mean token of the training images, `[D]`.
        components: Directions, `[D, width]`, divided by one common scale, so that the reduced
            tokens have unit mean square.
    """

    mean: Tensor
    components: Tensor

    @classmethod
    def fit(
        cls,
        rows: np.ndarray[Any, Any],
        generator: np.random.Generator,
        width: int,
        limit: int = 50_000,
    ) -> Reducer:
        """Fit on tokens of training images.

        Args:
            rows: Tokens `[n, S, D]` of training images alone, also mapped from disk.
            generator: Generator that draws the tokens for the fit.
            width: Number of components.
            limit: Largest number of tokens for the fit.

        Raises:
            InputError: If there are fewer tokens, or narrower ones, than components.
        """
        pictures, count, full = rows.shape
        total = pictures * count
        if width > min(full, total):
            raise InputError(
                f"{total} tokens of width {full} cannot be reduced to {width}",
                f"set image.reduce to at most {min(full, total)}, or to 0",
            )
        chosen = np.sort(generator.choice(total, min(total, limit), replace=False))
        sample = torch.from_numpy(np.asarray(rows[chosen // count, chosen % count], np.float32))
        mean = sample.mean(0)
        sample -= mean
        # the spectrum of image tokens falls fast: a randomised subspace is as good and far faster
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(generator.integers(2**31)))
            _, values, largest = torch.svd_lowrank(sample, q=min(width + 16, full, total), niter=3)
        largest, values = largest[:, :width], values[:width]
        # a component is known up to its sign: its largest entry is made positive
        largest = largest * largest.gather(0, largest.abs().argmax(0, keepdim=True)).sign()
        scale = (values.square().mean() / len(sample)).sqrt().clamp_min(1e-6)
        return cls(mean, largest / scale)

    @property
    def width(self) -> int:
        """Width of a reduced token."""
        return int(self.components.shape[1])

    def apply(self, tokens: Tensor) -> Tensor:
        """Reduce tokens `[..., S, D]` to `[..., S, width]`."""
        return (tokens.float() - self.mean) @ self.components

    def save(self, path: Path) -> None:
        """Write the tensors as safetensors."""
        save_file({"mean": self.mean, "components": self.components.contiguous()}, path)

    @classmethod
    def load(cls, path: Path) -> Reducer:
        """Read what `save` wrote."""
        tensors = load_file(path)
        return cls(tensors["mean"], tensors["components"])
