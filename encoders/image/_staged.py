"""Shared by image encoders: tokens of a feature map, stages that may train, a hash."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from encoders.image import Preprocessing
from encoders.weights import state_hash
from kg.errors import InputError

EXPANDED = ("blocks", "layers", "stages", "features", "layer")
"""Children that are themselves a row of stages."""


def map_tokens(features: Tensor) -> Tensor:
    """A feature map `[B, D, h, w]` as tokens `[B, h * w, D]`, row by row."""
    return features.flatten(2).transpose(1, 2)


def dense_maps(features: nn.Sequential, pixels: Tensor) -> dict[str, Tensor]:
    """Feature maps of a DenseNet's blocks by their names, and `last`."""
    found = {}
    for name, layer in features.named_children():
        pixels = layer(pixels)
        if name.startswith("denseblock"):
            found[name] = pixels
    return {**found, "last": relu(pixels)}


def without_head(tensors: Mapping[str, Tensor], heads: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of a backbone alone: those of the classifiers called `heads` are left out."""
    prefixes = tuple(f"{head}." for head in heads)
    return {key: tensor for key, tensor in tensors.items() if not key.startswith(prefixes)}


def is_norm(module: nn.Module) -> bool:
    """True if a module only normalises; it then belongs to the stage before it."""
    return "norm" in type(module).__name__.lower()


def named_stages(module: nn.Module, prefix: str = "") -> tuple[tuple[str, ...], ...]:
    """Name prefixes of the parameters of each stage, first stage first.

    A stage is a child with parameters; children called `blocks`, `layers`, `stages` or `features`
    are taken apart; a normalisation belongs to the stage before it.
    """
    stages: list[tuple[str, ...]] = []
    for name, child in module.named_children():
        if not any(True for _ in child.parameters()):
            continue
        if name in EXPANDED and isinstance(child, nn.Sequential | nn.ModuleList):
            stages.extend(named_stages(child, f"{prefix}{name}."))
        elif stages and is_norm(child):
            stages[-1] = (*stages[-1], f"{prefix}{name}.")
        else:
            stages.append((f"{prefix}{name}.",))
    return tuple(stages)


class StagedEncoder(nn.Module, ABC):
    """An image encoder whose last stages can be fine-tuned while the others stay frozen.

    A part builds its layers in the constructor and sets `preprocessing` and `width`.
    """

    Options: ClassVar[Any]
    preprocessing: Preprocessing
    width: int

    @abstractmethod
    def forward(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, c, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""

    @abstractmethod
    def maps(self, pixels: Tensor) -> dict[str, Tensor]:
        """Feature maps `[B, D, h, w]` by the name of their stage, first stage first.

        `last` is the map behind the last layer, all others are those between stages.
        """

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Name prefixes of the parameters of each stage, first stage first."""
        return named_stages(self)

    @property
    def recipe(self) -> str:
        """Settings beside weights and preprocessing that decide the tokens; hashed too."""
        return type(self).__name__

    def trainable(self, last: int) -> tuple[str, ...]:
        """Let only the last stages train, and freeze the others.

        Args:
            last: Number of stages that train; 0 freezes all, a negative number trains all.

        Returns:
            Name prefixes of the parameters that train.

        Raises:
            InputError: If there are not that many stages.
        """
        stages = self.stages
        if last > len(stages):
            listed = " ".join(stage[0].rstrip(".") for stage in stages)
            raise InputError(
                f"{type(self).__name__} has {len(stages)} stages, {last} were asked to train",
                f"the stages are: {listed}",
            )
        chosen = stages[len(stages) - last :] if last >= 0 else stages
        prefixes = tuple(prefix for stage in chosen for prefix in stage)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(last < 0 or name.startswith(prefixes))
        self.train(self.training)
        return prefixes

    def train(self, mode: bool = True) -> StagedEncoder:
        """Set the mode of the stages that train; frozen stages keep their batch statistics."""
        super().train(mode)
        for module in self.modules():
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()
        return self

    def weights_hash(self) -> str:
        """SHA-256 over the weights and the other settings that decide the tokens."""
        return state_hash(self, self.recipe)

    def grid(self) -> tuple[int, int]:
        """Number of tokens `S` and their width `D` for one image of the preprocessing's size."""
        tokens = self._tried(self)
        return int(tokens.shape[1]), int(tokens.shape[2])

    def map_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Width `D`, height and width in cells of each feature map of one image, by name."""
        maps: dict[str, Tensor] = self._tried(self.maps)
        return {name: (one.shape[1], one.shape[2], one.shape[3]) for name, one in maps.items()}

    def _tried(self, read: Callable[[Tensor], Any]) -> Any:
        """Result of `read` for a black image of the preprocessing's size."""
        side, before = self.preprocessing.size, self.training
        self.eval()
        with torch.no_grad():
            result = read(torch.zeros(1, self.preprocessing.channels, side, side))
        self.train(before)
        return result
