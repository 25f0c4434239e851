"""Lightning checkpoints without pickle: tensors as safetensors, everything else as tagged JSON."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from experiments.records.checkpoint import load_checkpoint, save_checkpoint

__all__ = ["SafeCheckpointIO", "pack", "unpack"]

KIND = "$kind"


def pack(value: Any, tensors: dict[str, Tensor], at: str = "") -> Any:
    """Nested value as JSON, with its tensors moved into `tensors` under their path.

    Mappings keep the type of their keys, tuples stay tuples.

    Raises:
        TypeError: On a value that a checkpoint cannot hold.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        tensors[at] = value.detach()
        return {KIND: "tensor", "name": at}
    if isinstance(value, list | tuple):
        items = [pack(item, tensors, f"{at}/{place}") for place, item in enumerate(value)]
        return items if isinstance(value, list) else {KIND: "tuple", "items": items}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and KIND not in value:
            return {key: pack(item, tensors, f"{at}/{key}") for key, item in value.items()}
        pairs = [[pack(k, tensors), pack(v, tensors, f"{at}/{k}")] for k, v in value.items()]
        return {KIND: "pairs", "items": pairs}
    raise TypeError(f"{at}: a checkpoint cannot hold a {type(value).__name__}")


def unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Value that `pack` was given."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if KIND not in value:
        return {key: unpack(item, tensors) for key, item in value.items()}
    if value[KIND] == "tensor":
        return tensors[value["name"]]
    if value[KIND] == "tuple":
        return tuple(unpack(item, tensors) for item in value["items"])
    return {unpack(key, tensors): unpack(item, tensors) for key, item in value["items"]}


class SafeCheckpointIO(CheckpointIO):
    """Checkpoint plugin for Lightning: a folder of safetensors and JSON; never unpickles.

    Args:
        identity: Run that the weights belong to; any other checkpoint is refused.
    """

    def __init__(self, identity: Mapping[str, Any]) -> None:
        self.identity = dict(identity)

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint atomically, replacing the one at `path`."""
        tensors: dict[str, Tensor] = {}
        state = pack(checkpoint, tensors)
        save_checkpoint(Path(path), tensors, state, self.identity)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint after checking hash and identity."""
        loaded = load_checkpoint(Path(path), identity=self.identity)
        device = map_location if isinstance(map_location, str | torch.device) else "cpu"
        tensors = {name: tensor.to(device) for name, tensor in loaded.tensors.items()}
        restored: dict[str, Any] = unpack(dict(loaded.state), tensors)
        return restored

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove the folder of a checkpoint."""
        shutil.rmtree(path, ignore_errors=True)
