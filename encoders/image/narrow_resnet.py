"""Narrow ResNet: few channels and many stages, for large grey images trained from scratch.

Reference: the image encoders of Chauhan (2020), Liao (2021) and JoImTeRNet (Ji 2021): residual
networks (He 2016) that halve the image once a stage and begin with 8 or 16 channels, so that 2048
pixels fit. Sizes are options; `widths` of Chauhan are 8 16 32 64 128 192 192 behind a stem of
stride 4 and 8 channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, map_tokens
from encoders.weights import RANDOM, load_into, read_weights, seeded
from kg.bounds import Few, Seed, Side, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["NarrowResNet"]


class NarrowResNet(StagedEncoder):
    """Residual stages of stride 2: one token for each cell of the last."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            weights: `random`, or the path of a `.safetensors` file.
            size: Side of the input in pixels, a multiple of the stride of all stages.
            stem: Stride of the first convolution.
            widths: Channels of each stage; the stem has those of the first.
            blocks: Residual blocks of a stage.
            seed: Seed of random weights.
        """

        weights: str = RANDOM
        size: Side = 256
        stem: Few = 1
        widths: tuple[Width, ...] = (8, 16, 32, 64, 128)
        blocks: Few = 2
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        stride = options.stem * 2 ** len(options.widths)
        if not options.widths or options.size < stride or options.size % stride:
            raise InputError(
                f"narrow_resnet: size {options.size} does not fit {len(options.widths)} stages",
                f"make size a multiple of {stride}",
            )
        first, self.width = options.widths[0], options.widths[-1]
        self.preprocessing = Preprocessing(options.size, (0.5,), (0.25,))
        with seeded(options.seed):
            self.stem = nn.Sequential(
                nn.Conv2d(1, first, 7, stride=options.stem, padding=3, bias=False),
                nn.BatchNorm2d(first),
                nn.ReLU(),
            )
            self.blocks = nn.Sequential(
                *(
                    _stage(before, after, options.blocks)
                    for before, after in zip((first, *options.widths), options.widths, strict=False)
                )
            )
        if options.weights != RANDOM:
            load_into(self, read_weights(options.weights), name=options.weights)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 1, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        return map_tokens(self.maps(pixels)["last"])

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps of the stages `s1` and further."""
        features, found = self.stem(pixels), {}
        for place, stage in enumerate(self.blocks, 1):
            features = found[f"s{place}"] = stage(features)
        return {**found, "last": features}


def _stage(before: int, after: int, blocks: int) -> nn.Sequential:
    """Residual blocks, the first of which halves the map."""
    shortcut = nn.Sequential(
        nn.Conv2d(before, after, 1, stride=2, bias=False), nn.BatchNorm2d(after)
    )
    further = (BasicBlock(after, after) for _ in range(blocks - 1))
    return nn.Sequential(BasicBlock(before, after, 2, shortcut), *further)
