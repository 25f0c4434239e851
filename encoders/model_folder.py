"""Model folders of Hugging Face: found, checked and read without their code.

A folder is opened only where it holds nothing but data: no code of its own, no entry in its
configuration that makes the library load code or ask the network, weights as safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from encoders.weights import CONVERT, read_weights
from kg.errors import InputError, did_you_mean
from kg.files.json_text import json_in

__all__ = ["check_model_folder", "folder_tensors", "snapshot"]

HEADS = ("cls.", "lm_head.", "classifier.", "qa_outputs.", "pooler.", "vocab_", "discriminator_")
"""Layers of a checkpoint after the tokens; they are not needed."""

ATTENTION = ("eager", "sdpa")


def snapshot(folder: Path) -> Path:
    """The folder of a model itself, where this is its place in the cache of Hugging Face."""
    snapshots, main = folder / "snapshots", folder / "refs" / "main"
    if not snapshots.is_dir():
        return folder
    if main.is_file():
        return snapshots / main.read_text(encoding="utf-8").strip()
    return max(snapshots.iterdir(), key=lambda one: one.stat().st_mtime, default=folder)


def check_model_folder(folder: Path) -> None:
    """Refuse a model folder that holds more than data.

    Raises:
        InputError: If the folder holds code, asks for code or attention kernels from elsewhere, is
            of a kind the library does not know, or has no safetensors.
    """
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: not a folder of a model (no config.json)",
            "give the folder that save_pretrained wrote; names of hubs are not looked up",
        )
    code = sorted(path.name for path in folder.rglob("*.py"))
    if code:
        raise InputError(
            f"{folder}: holds code of its own ({', '.join(code[:3])}); refused",
            "use a model whose class is part of transformers",
        )
    for path in sorted(folder.glob("*.json")):
        _check_settings(path)
    settings = json_in(folder / "config.json")
    kind = settings.get("model_type", "")
    if kind not in CONFIG_MAPPING:
        raise InputError(
            f"{folder}/config.json: model_type {kind!r} is not known",
            did_you_mean(str(kind), CONFIG_MAPPING.keys()),
        )
    if not any(folder.glob("model*.safetensors")):
        raise InputError(f"{folder}: no model.safetensors; pickled weights are refused", CONVERT)


def _check_settings(path: Path) -> None:
    try:
        settings = json_in(path)
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})", "save the model again") from None
    if path.name.startswith(("tokenizer.", "vocab")):
        return
    for key, value in _entries(settings):
        loads_code = key in ("auto_map", "custom_pipelines")
        private = key.startswith("_") and "implementation" in key
        foreign = key == "attn_implementation" and value not in (None, *ATTENTION)
        if loads_code or private or foreign:
            raise InputError(
                f"{path}: the entry {key!r} can load code; refused",
                "use a model whose class is part of transformers, and remove the entry",
            )


def _entries(settings: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of nested JSON."""
    waiting = [settings]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield from here.items()
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)


def folder_tensors(folder: Path, model: Any) -> dict[str, Tensor]:
    """The encoder's tensors of a checkpoint, under the names the bare encoder gives them."""
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        tensors.update(read_weights(path))
    prefix = f"{model.base_model_prefix}."
    if any(key.startswith(prefix) for key in tensors):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    wanted = model.state_dict()
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        tensors = {
            key.removesuffix(old) + new if key.endswith(old) and key not in wanted else key: value
            for key, value in tensors.items()
        }
    return {
        key: value
        for key, value in tensors.items()
        if key in wanted or not key.startswith(HEADS) and not key.endswith("position_ids")
    }
