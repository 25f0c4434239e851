"""Hugging Face: a vision encoder of the transformers library from a local folder (Wolf 2020).

Reference: Wolf: Transformers: State-of-the-Art Natural Language Processing, 2020. Reads
models that give one sequence of patches (ViT, DeiT, DINOv2 and with it RAD-DINO) or one feature map
(ConvNeXt, ResNet). Nothing is downloaded and no code of the folder runs; weights must be
safetensors and keep their own licence.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from encoders.image import Preprocessing
from encoders.image._staged import StagedEncoder, map_tokens, named_stages
from encoders.model_folder import check_model_folder, folder_tensors, snapshot
from encoders.weights import RANDOM, SHIPPED, load_into, read_weights, seeded
from kg.bounds import Seed
from kg.errors import InputError
from kg.files.json_text import json_in
from kg.options import Options as BaseOptions

__all__ = ["HuggingFaceVision"]


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
        shape: Any = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        with seeded(options.seed):
            network: Any = AutoModel.from_config(shape)
        if hasattr(network, "pooler"):
            network.pooler = None
        if options.weights == SHIPPED:
            load_into(network, folder_tensors(folder, network), name=str(folder))
        elif options.weights != RANDOM:
            load_into(network, read_weights(options.weights), name=options.weights)
        self.network: nn.Module = network
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
        return map_tokens(self.maps(pixels)["last"])

    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature map of the last layer; the tokens before the patches are left out."""
        features: Tensor = self.network(pixel_values=pixels).last_hidden_state
        if features.ndim == 3:
            side = math.isqrt(features.shape[1])
            patches = features[:, features.shape[1] - side * side :]
            features = patches.transpose(1, 2).reshape(len(patches), -1, side, side)
        return {"last": features}


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
