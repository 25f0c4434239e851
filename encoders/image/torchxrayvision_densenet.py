"""TorchXRayVision DenseNet-121: chest X-ray features, with weights from a local file (Cohen 2022).

Reference: Cohen: TorchXRayVision: A library of chest X-ray datasets and models, 2022. The library
ships no weights and each published set follows the terms of its training data; none are
downloaded: `kgdx weights convert` makes safetensors of a file that the library has fetched before.
The classifier and its operating points are left out.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, dense_maps, map_tokens, without_head
from encoders.weights import RANDOM, load_into, read_weights, seeded
from kg.bounds import Seed, Side
from kg.options import Options as BaseOptions

__all__ = ["TorchXRayVisionDenseNet"]


class TorchXRayVisionDenseNet(StagedEncoder):
    """Last feature map of the library's DenseNet-121: one token for each 32 x 32 pixels."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            weights: `random`, or the path of a `.safetensors` file with the library's names.
            size: Side of the input in pixels; the published weights were trained at 224.
            seed: Seed of random weights.
        """

        weights: str = RANDOM
        size: Side = 224
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        # imported here: the library reads its label tables' machinery (pandas, scikit-image)
        import torchxrayvision

        with seeded(options.seed):
            network: Any = torchxrayvision.models.DenseNet(weights=None, in_channels=1)
        self.features: nn.Sequential = network.features
        self.width = int(network.classifier.in_features)
        if options.weights != RANDOM:
            tensors = read_weights(options.weights)
            tensors.pop("op_threshs", None)
            load_into(self, without_head(tensors, ("classifier",)), name=options.weights)
        # the library wants [-1024, 1024]: (x - 0.5) * 2048 for x in [0, 1]
        self.preprocessing = Preprocessing(options.size, (0.5,), (1 / 2048,))

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 1, H, W]` in [-1024, 1024] into tokens `[B, S, D]`, row by row."""
        return map_tokens(self.maps(pixels)["last"])

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps of `denseblock1` ... `denseblock4`."""
        return dense_maps(self.features, pixels)
