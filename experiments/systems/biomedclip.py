"""BiomedCLIP: the towers of a published model, asked by prompts and tuned by reports (Zhang 2023).

Reference: Zhang, Xu, Usuyama and others: A Multimodal Biomedical Foundation Model Trained from
Fifteen Million Image-Text Pairs, NEJM AI 2024, arXiv 2303.00915. Fidelity: paper; with the same
random weights its vectors are those of open_clip 3.3 within 1e-6. The published weights, in the
hub's repository microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224, are under the MIT License
and are the user's to get: none are shipped, and none are fetched.

A vision transformer whose first token is projected, and a PubMedBERT whose first token goes through
a perceptron, meet in a space of 512 dimensions. Findings are answered by prompts, with the weights
of a file or after a contrastive stage on reports; a stage of `classification` tunes a head.

What differs, and why:
- The weights were trained on figures and captions of articles. A stage here trains on reports.
- Prompts are `{finding}` against `no {finding}`, as of every dual encoder here; the authors choose
  templates for each data set.
- `width`, `hidden`, `dropout` and `token_dropout` of other dual encoders have no effect: sizes are
  those of the encoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from encoders.image import Preprocessing
from encoders.weights import load_into, read_weights, weights_file
from fusion.layers.dual import DualEncoder
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Positive, Width
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["BiomedClip"]

SETTINGS = "open_clip_config.json"


class BiomedClip(DualEncoder):
    """Two towers as open_clip has them, with the weights of a user's file.

    Args:
        options: Weights, and size of the shared space.
        setting: What the run is about; needs a vision transformer of timm and a text encoder that
            both train with the system.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            weights: The model's safetensors file, or its folder with that file alone and its
                `open_clip_config.json`; empty = the encoders keep their own weights.
        """

        weights: str = ""
        space: Width = 512
        temperature: Positive = 0.07
        learned_temperature: bool = True

    options: Options

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """Pixels, and in a contrastive stage the reports."""
        pairs = any(set(stage.objectives) - {"classification"} for stage in stages)
        return Needs(paired_report=pairs, pixels=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        image: Any = setting.image_encoder
        text = setting.text_encoder
        if not hasattr(getattr(image, "network", None), "forward_features"):
            raise InputError(
                "biomedclip reads pixels by a vision transformer of timm",
                "set image.encoder to timm_backbone, and image.frozen to false",
            )
        if text is None or (options.weights and not hasattr(text, "model")):
            raise InputError(
                "biomedclip needs a text encoder that trains with it",
                "set text.encoder to fine_tuned, with the folder of PubMedBERT",
            )
        super().__init__(options, setting, stages)
        self.image_tower: Any = FirstTokens(image.network, image.preprocessing)
        self.text_tower: Any = FirstWords(text)
        wide, tall, space = setting.image_width, setting.text_width, options.space
        self.image_projection: Any = ToSpace(nn.Linear(wide, space, bias=False))
        between = (tall + space) // 2
        self.text_projection: Any = ToSpace(
            nn.Linear(tall, between, bias=False),
            nn.GELU(),
            nn.Linear(between, space, bias=False),
        )
        if self.head is not None:
            self.head = nn.Linear(wide, len(setting.findings))
        if options.weights:
            self._load(weights_file(options.weights))

    def _load(self, path: Path) -> None:
        """Load the weights of open_clip's file, and the normalisation that its settings state."""
        assert self.log_scale is not None
        tensors = read_weights(path)
        parts: Mapping[str, nn.Module] = {
            "visual.trunk.": self.image_tower.network,
            "visual.head.proj.": self.image_projection.layers[0],
            "text.transformer.": self.text_tower.encoder.model,
            "text.proj.": self.text_projection.layers,
        }
        for prefix, module in parts.items():
            chosen = {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix) and not name.endswith("position_ids")
            }
            load_into(module, chosen, name=f"{path}, {prefix}")
        if "logit_scale" not in tensors:
            raise InputError(f"{path}: no logit_scale", "name the file of a model of open_clip")
        self.log_scale.data.copy_(tensors["logit_scale"])
        settings = path.parent / SETTINGS
        if not settings.is_file():
            raise InputError(
                f"{path.parent}: no {SETTINGS}", "put the model's own beside its weights"
            )
        stated = json_in(settings).get("preprocess_cfg", {})
        self.image_tower.normalise(stated.get("mean"), stated.get("std"))


class FirstTokens(nn.Module):
    """First token of a vision transformer for each image, their mean for a study.

    Args:
        network: The transformer, of timm.
        preprocessing: Normalisation of the pixels it is given.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: Any, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing
        self.register_buffer("scale", torch.ones(3, 1, 1), persistent=False)
        self.register_buffer("shift", torch.zeros(3, 1, 1), persistent=False)

    def normalise(self, mean: Any, std: Any) -> None:
        """Normalise pixels by other values than they are given with; None = as given."""
        own = self.preprocessing
        means, stds = (
            torch.tensor([given or ours, ours])[:, :, None, None]
            for given, ours in ((mean, own.mean), (std, own.std))
        )
        self.scale.copy_(stds[1] / stds[0])
        self.shift.copy_((means[1] - means[0]) / stds[0])

    def forward(self, batch: StudyBatch) -> Features:
        """Features of the images of a batch; zeros where there is none."""
        assert batch.pixels is not None
        real = batch.image_mask
        pixels = batch.pixels[real] * self.scale + self.shift
        first = pixels.new_zeros(0, self.network.num_features)
        if len(pixels):  # padding would cost as much as an image
            first = self.network.forward_features(pixels)[:, 0]
        tokens = first.new_zeros(*real.shape, first.shape[-1]).index_put((real,), first)
        return Features(tokens, real, tokens.sum(1) / real.sum(1, keepdim=True).clamp_min(1))


class FirstWords(nn.Module):
    """First token of a text encoder, which a BERT makes to stand for the text.

    Args:
        encoder: Text encoder that trains.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, text: Text) -> Features:
        """Features of the texts; zeros for an empty one."""
        tokens = self.encoder(text.words, text.mask, text.section) * text.mask[..., None]
        return Features(tokens, text.mask, tokens[:, 0])


class ToSpace(nn.Module):
    """Layers into the shared space, to vectors of unit length.

    Args:
        layers: The layers.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, pooled: Tensor) -> Tensor:
        """`[..., D]` to `[..., space]`."""
        return F.normalize(self.layers(pooled), dim=-1)
