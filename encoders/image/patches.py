"""Patches: an image cut into squares, for systems with a vision tower of their own.

Nothing is learned and there are no weights: a token is a square of pixels, row by row.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import unfold

from encoders.image import Preprocessing
from encoders.weights import NONE
from kg.bounds import Side
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["Patches"]


class Patches(nn.Module):
    """Squares of pixels in [0, 1]."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            weights: `none`: there are none.
            size: Side of the input in pixels.
            patch: Side of a square in pixels, which divides it.
        """

        weights: Literal["none"] = NONE
        size: Side = 224
        patch: Side = 16

    def __init__(self, options: Options) -> None:
        super().__init__()
        if options.size % options.patch:
            raise InputError(
                f"patches: {options.size} pixels are no multiple of {options.patch}",
                "choose a size that is a multiple of patch",
            )
        self.options = options
        self.preprocessing = Preprocessing(options.size, (0.0,) * 3, (1.0,) * 3)
        self.width = 3 * options.patch**2

    def forward(self, pixels: Tensor) -> Tensor:
        """Cut `pixels` `[B, 3, H, W]` into tokens `[B, S, D]`, row by row."""
        side = self.options.patch
        return unfold(pixels, side, stride=side).transpose(1, 2)

    def weights_hash(self) -> str:
        """Size of the squares, as there are no weights."""
        return f"patches of {self.options.patch} pixels"

    def trainable(self, last: int) -> tuple[str, ...]:
        """Nothing trains."""
        return ()
