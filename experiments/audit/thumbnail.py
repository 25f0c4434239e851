"""Thumbnail: the grey image itself, a few pixels wide, as one token.

For probes that ask what can be told at a glance at a frame or a background: no network, so that
an audit of thousands of images costs little more than reading them.
"""

from __future__ import annotations

import hashlib

from torch import Tensor, nn

from encoders.image import Preprocessing
from kg.options import Options as BaseOptions

__all__ = ["NAME", "Thumbnail"]

NAME = f"{__name__}:Thumbnail"
"""How a configuration names it."""


class Thumbnail(nn.Module):
    """The pixels, as they are.

    Args:
        options: Side of the thumbnail.
    """

    class Options(BaseOptions):
        """Options of the thumbnail.

        Args:
            size: Side in pixels.
        """

        size: int = 32

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.preprocessing = Preprocessing(options.size, (0.0,), (1.0,))
        self.width = options.size**2

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels `[B, 1, H, W]` as tokens `[B, 1, H * W]`."""
        return pixels.flatten(2)

    def weights_hash(self) -> str:
        """There are no weights; the name stands for them."""
        return hashlib.sha256(NAME.encode()).hexdigest()

    def trainable(self, last: int) -> tuple[str, ...]:
        """Nothing can train."""
        return ()
