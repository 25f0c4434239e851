"""Thumbnail: the grey image itself, a few pixels wide, as one token.

Encoder of probes for frames and backgrounds. It has no network, so that an audit of thousands of
images costs little more than reading them.
"""

from __future__ import annotations

import hashlib

from torch import Tensor, nn

from encoders.image import Preprocessing
from kg.bounds import Side
from kg.options import Options as BaseOptions

__all__ = ["NAME", "Thumbnail"]

NAME = f"{__name__}:Thumbnail"
"""Its name in a configuration."""


class Thumbnail(nn.Module):
    """Pixels of a thumbnail, unchanged.

    Args:
        options: Side of the thumbnail.
    """

    class Options(BaseOptions):
        """Options of the thumbnail.

        Args:
            size: Side in pixels.
        """

        size: Side = 32

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.preprocessing = Preprocessing(options.size, (0.0,), (1.0,))
        self.width = options.size**2

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels `[B, 1, H, W]` as tokens `[B, 1, H * W]`."""
        return pixels.flatten(2)

    def weights_hash(self) -> str:
        """Hash of the name, since there are no weights."""
        return hashlib.sha256(NAME.encode()).hexdigest()

    def trainable(self, last: int) -> tuple[str, ...]:
        """Empty: nothing can be trained."""
        return ()
