"""timm: any image backbone of the timm library by name, with weights from a local file.

Reference: Wightman: PyTorch Image Models. Weights keep their own licences; none are downloaded:
`kgdx weights convert` makes safetensors of a file that is at hand.
"""

from __future__ import annotations

from typing import Any

import timm
from torch import Tensor

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, map_tokens, named_stages, without_head
from encoders.weights import RANDOM, load_into, read_weights, seeded
from kg.bounds import Seed, Side
from kg.errors import InputError, did_you_mean
from kg.options import Options as BaseOptions

__all__ = ["TimmBackbone"]


class TimmBackbone(StagedEncoder):
    """Feature map of a timm convolutional network, or patch tokens of a timm transformer."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            model: Name of the model in timm.
            weights: `random`, or the path of a `.safetensors` file with timm's names.
            size: Side of the input in pixels.
            seed: Seed of random weights.
        """

        model: str = "resnet18"
        weights: str = RANDOM
        size: Side = 224
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        # is_model refuses "hf_hub:..." and the like, which would need the network
        if not timm.is_model(options.model):
            raise InputError(
                f"timm_backbone.model: timm has no model {options.model!r}",
                did_you_mean(options.model, timm.list_models()),
            )
        described: Any = timm.get_pretrained_cfg(options.model)
        fixed = {"img_size": options.size} if described and described.fixed_input_size else {}
        with seeded(options.seed):
            network: Any = timm.create_model(options.model, pretrained=False, **fixed)
        head = network.pretrained_cfg.get("classifier") or ()
        try:
            network.reset_classifier(0, "")
        except (AssertionError, TypeError, ValueError) as error:
            raise _no_map(options.model, error) from None
        if options.weights != RANDOM:
            heads = (head,) if isinstance(head, str) else tuple(head)
            tensors = without_head(read_weights(options.weights), heads)
            load_into(network, tensors, name=options.weights)
        self.network = network
        self.model = options.model
        self.prefix_tokens = int(getattr(network, "num_prefix_tokens", 0))
        self.channels_last = str(getattr(network, "output_fmt", "NCHW")) == "NHWC"
        mean, std = network.pretrained_cfg["mean"], network.pretrained_cfg["std"]
        self.preprocessing = Preprocessing(options.size, tuple(mean), tuple(std))
        try:
            _, self.width = self.grid()
        except (AssertionError, AttributeError, RuntimeError) as error:
            raise _no_map(f"{options.model} at {options.size} pixels", error) from None

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Name prefixes of the parameters of each stage of the network, first stage first."""
        return named_stages(self.network, "network.")

    @property
    def recipe(self) -> str:
        """The model's name."""
        return f"timm {self.model}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, c, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        features: Tensor = self.network.forward_features(pixels)
        if features.ndim == 3:
            return features[:, self.prefix_tokens :]
        return features.flatten(1, 2) if self.channels_last else map_tokens(features)

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps by the timm names of their modules.

        Raises:
            InputError: If timm gives none of this model.
        """
        try:
            features, stages = self.network.forward_intermediates(pixels)
        except (AssertionError, AttributeError, TypeError) as error:
            raise _no_map(self.model, error) from None
        names = [about["module"] for about in self.network.feature_info]
        if features.ndim == 3:
            grid = stages[-1].shape[2:]
            features = features[:, self.prefix_tokens :].transpose(1, 2).unflatten(2, grid)
        elif self.channels_last:
            features = features.permute(0, 3, 1, 2)
        return {**dict(zip(names, stages, strict=True)), "last": features}


def _no_map(what: str, error: Exception) -> InputError:
    return InputError(
        f"timm_backbone: {what} gives no feature map ({error})",
        "choose another size, or a model whose forward_features gives one map",
    )
