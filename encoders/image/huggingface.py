"""Hugging Face: a vision encoder of the transformers library from a local folder (Wolf 2020).

Reference: Wolf: Transformers: State-of-the-Art Natural Language Processing, 2020. Reads
models that give one sequence of patches (ViT, DeiT, DINOv2 and with it RAD-DINO) or one feature map
(ConvNeXt, ResNet). Nothing is downloaded and no code of the folder runs; weights must be
safetensors and keep their own licence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig, AutoModel

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, map_tokens, named_stages
from encoders.model_folder import check_model_folder, snapshot
from encoders.weights import RANDOM, SHIPPED, load_into, read_weights, seeded
from kg.bounds import Seed
from kg.errors import InputError
from kg.files.json_text import json_in
from kg.options import Options as BaseOptions

__all__ = ["HuggingFaceVision"]

LOCAL: Mapping[str, Any] = {"local_files_only": True, "trust_remote_code": False}


class HuggingFaceVision(StagedEncoder):
    """Patches of a vision transformer, or cells of a convolutional network's last map."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            folder: Folder that `save_pretrained` wrote, or the model's place in the cache of
                Hugging Face.
            weights: `shipped` (those of the folder), `random`, or the path of a `.safetensors` file
                with the names of the model without its head.
            seed: Seed of random weights.
        """

        folder: str
        weights: str = SHIPPED
        seed: Seed = 0

    def __init__(self, options: Options) -> None:
        super().__init__()
        folder = snapshot(Path(options.folder))
        check_model_folder(folder)
        shape: Any = AutoConfig.from_pretrained(folder, **LOCAL)
        with seeded(options.seed):
            network = _published(folder) if options.weights == SHIPPED else _random(shape)
        if options.weights not in (SHIPPED, RANDOM):
            load_into(network, read_weights(options.weights), name=options.weights)
        self.network = network
        self.kind = str(shape.model_type)
        self.preprocessing = _preprocessing(folder, shape)
        try:
            _, self.width = self.grid()
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder}: a {self.kind} gives no patches of an image ({error})",
                "name the folder of a vision encoder, such as a ViT or DINOv2",
            ) from None

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Name prefixes of the parameters of each stage of the network, first stage first."""
        stages: list[tuple[str, ...]] = []
        for stage in named_stages(self.network, "network."):
            inner = getattr(self.network, stage[0].split(".")[1])
            parts = named_stages(inner, stage[0]) if stage[0] == "network.encoder." else ()
            last = (*parts[-1], *stage[1:]) if parts else stage
            stages.extend((*parts[:-1], last))
        return tuple(stages)

    @property
    def recipe(self) -> str:
        """The kind of model."""
        return f"transformers {self.kind}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, 3, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""
        return map_tokens(_map(self.network(pixel_values=pixels).last_hidden_state))

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps `layer0` (before the first layer), `layer1` ... and `last`."""
        output = self.network(pixel_values=pixels, output_hidden_states=True)
        between = {f"layer{n}": _map(one) for n, one in enumerate(output.hidden_states)}
        return {**between, "last": _map(output.last_hidden_state)}


def _map(features: Tensor) -> Tensor:
    """Feature map `[B, D, h, w]` of one, or of tokens; those before the patches are left out."""
    if features.ndim == 4:
        return features
    side = math.isqrt(features.shape[1])
    patches = features[:, features.shape[1] - side * side :]
    return patches.transpose(1, 2).reshape(len(patches), -1, side, side)


def _published(folder: Path) -> Any:
    """The model of a folder with its weights, read from safetensors alone.

    Raises:
        InputError: If weights are missing or of another shape.
    """
    network, about = AutoModel.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True, **LOCAL
    )
    missing = [key for key in about["missing_keys"] if not key.startswith("pooler.")]
    if missing or about["mismatched_keys"]:
        raise InputError(
            f"{folder}: its weights do not fit: {len(missing)} missing, "
            f"{len(about['mismatched_keys'])} of another shape",
            "save the model again, whole",
        )
    return _without_pooler(network)


def _random(shape: Any) -> Any:
    return _without_pooler(AutoModel.from_config(shape))


def _without_pooler(network: Any) -> Any:
    if hasattr(network, "pooler"):
        network.pooler = None
    return network


def _preprocessing(folder: Path, shape: Any) -> Preprocessing:
    """Size and normalisation that the folder states, else those of the model's configuration."""
    path = folder / "preprocessor_config.json"
    stated: Any = json_in(path) if path.is_file() else {}
    size = stated.get("crop_size") or getattr(shape, "image_size", None) or stated.get("size")
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    elif isinstance(size, list):
        size = size[0]
    mean, std = stated.get("image_mean") or (0.5,) * 3, stated.get("image_std") or (0.5,) * 3
    return Preprocessing(int(size or 224), tuple(map(float, mean)), tuple(map(float, std)))
