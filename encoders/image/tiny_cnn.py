"""Tiny CNN: a small network that trains from scratch in minutes, for demonstration and tests.

About 100,000 parameters; group normalisation, so that a batch of one study works.
"""

from __future__ import annotations

from torch import Tensor, nn

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, map_tokens
from encoders.weights import RANDOM, load_into, read_weights, seeded
from kg.bounds import Seed, Side, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["TinyCNN"]


class TinyCNN(StagedEncoder):
    """Four strided convolutions: one token for each 16 x 16 pixels of a grey image."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            weights: `random`, or the path of a `.safetensors` file.
            size: Side of the input in pixels, a multiple of 16.
            width: Width of a token, a multiple of 64.
            seed: Seed of random weights.
        """

        weights: str = RANDOM
        size: Side = 64
        width: Width = 128
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        if options.size % 16 or options.width % 64 or options.size < 16 or options.width < 64:
            raise InputError(
                f"tiny_cnn: size {options.size} or width {options.width} does not fit",
                "size must be a multiple of 16 and width a multiple of 64",
            )
        self.width = options.width
        self.preprocessing = Preprocessing(options.size, (0.5,), (0.25,))
        widths = (1, options.width // 8, options.width // 4, options.width // 2, options.width)
        with seeded(options.seed):
            self.blocks = nn.Sequential(
                *(
                    nn.Sequential(
                        nn.Conv2d(before, after, 3, stride=2, padding=1),
                        nn.GroupNorm(8, after),
                        nn.GELU(),
                    )
                    for before, after in zip(widths, widths[1:], strict=False)
                )
            )
        if options.weights != RANDOM:
            load_into(self, read_weights(options.weights), name=options.weights)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 1, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        return map_tokens(self.maps(pixels)["last"])

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps of the blocks `b0` ... `b3`."""
        found = {}
        for place, block in enumerate(self.blocks):
            pixels = found[f"b{place}"] = block(pixels)
        return {**found, "last": pixels}
