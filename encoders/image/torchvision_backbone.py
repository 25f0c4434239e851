"""torchvision: a DenseNet or ResNet of torchvision by name, with weights from a local file.

References: Huang: Densely Connected Convolutional Networks, 2017; He: Deep Residual Learning for
Image Recognition, 2016. torchvision's weights are BSD-3-Clause for the code, ImageNet's terms for
the data; none are downloaded: `kgdx weights convert` makes safetensors of torchvision's own file.
"""

from __future__ import annotations

import re
from typing import Any

import torchvision
from torch import Tensor, nn

from encoders.image import Preprocessing
from encoders.image._staged import (
    StagedEncoder,
    dense_maps,
    map_tokens,
    named_stages,
    without_head,
)
from encoders.weights import RANDOM, load_into, read_weights, seeded
from kg.bounds import Seed, Side
from kg.errors import InputError, did_you_mean
from kg.options import Options as BaseOptions

__all__ = ["TorchvisionBackbone"]

MODELS = (
    *("densenet121", "densenet161", "densenet169", "densenet201"),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
)


class TorchvisionBackbone(StagedEncoder):
    """Last feature map of a torchvision DenseNet or ResNet: one token for each 32 x 32 pixels."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            model: Name of the model in torchvision.
            weights: `random`, or the path of a `.safetensors` file with torchvision's names.
            size: Side of the input in pixels.
            seed: Seed of random weights.
        """

        model: str = "densenet121"
        weights: str = RANDOM
        size: Side = 224
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        if options.model not in MODELS:
            raise InputError(
                f"torchvision_backbone.model: there is no model {options.model!r} here",
                did_you_mean(options.model, MODELS),
            )
        with seeded(options.seed):
            network: Any = torchvision.models.get_model(options.model, weights=None)
        self.model = options.model
        self.dense = options.model.startswith("densenet")
        head = "classifier" if self.dense else "fc"
        self.width = int(getattr(network, head).in_features)
        setattr(network, head, nn.Identity())
        if options.weights != RANDOM:
            tensors = without_head(read_weights(options.weights), (head,))
            load_into(network, _new_names(tensors), name=options.weights)
        self.network = network
        self.preprocessing = Preprocessing(
            options.size, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        )

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Name prefixes of the parameters of each stage of the network, first stage first."""
        return named_stages(self.network, "network.")

    @property
    def recipe(self) -> str:
        """The model's name."""
        return f"torchvision {self.model}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 3, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        return map_tokens(self.maps(pixels)["last"])

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps of `layer1` ... `layer4`, or of `denseblock1` ... `denseblock4`."""
        network = self.network
        if self.dense:
            return dense_maps(network.features, pixels)
        features = network.maxpool(network.relu(network.bn1(network.conv1(pixels))))
        found = {}
        for name in ("layer1", "layer2", "layer3", "layer4"):
            features = found[name] = getattr(network, name)(features)
        return {**found, "last": features}


def _new_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with today's names: DenseNet files from before 2017 write `norm.1` for `norm1`."""
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
    return {old.sub(r"\1\2", key): tensor for key, tensor in tensors.items()}
