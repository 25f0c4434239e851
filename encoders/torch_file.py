"""Converts a file that `torch.save` wrote to safetensors, as a process that may do nothing else.

Called by `encoders.weight_files`. The pickle inside is read as data, never executed
(`encoders.torch_pickle`); memory and time are bounded, and once its input is open the process may
read that and write its output, and nothing else (`kg.files.rights`). The safetensors go to stdout,
an error to stderr.
"""

from __future__ import annotations

import codecs
import math
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from encoders.torch_pickle import Made, Named, read_pickle
from kg.errors import InputError
from kg.files.child import confine, refuse
from kg.files.rights import renounce

__all__ = ["tensors_in"]

Array = NDArray[Any]
_MAGIC = 0x1950A86A20F9469CFC6C
"""First value of a file from before torch 1.6."""
_KINDS = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
_STATES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module")
"""Keys of a checkpoint that hold the weights."""
_WRAPPED = ("module.", "_orig_mod.", "model.")
"""Prefixes of all names, put there by what wrapped the model."""
_DEEPEST = 100
_ENCODINGS = ("cp437", "latin-1", "raw-unicode-escape", "unicode-escape")
"""Encodings of names in such files; Python reads their files when they are first used."""


class _Storage(NamedTuple):
    """Where the numbers of tensors are.

    Args:
        kind: Type of a number.
        key: Name of the storage.
    """

    kind: str
    key: str


@dataclass(frozen=True)
class Tensor:
    """A tensor before its numbers are read.

    Args:
        storage: Where its numbers are.
        offset: Place of the first.
        shape: Shape.
        strides: Steps between neighbours along each side.
    """

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def numbers(self, content: bytes) -> Array:
        """Its numbers; those in bfloat16, which numpy lacks, as float32.

        Raises:
            ValueError: If the storage is too short for it.
        """
        short = self.storage.kind == "bfloat16"
        flat = np.frombuffer(content, "uint16" if short else self.storage.kind)
        sides = (*self.shape, *self.strides, self.offset)
        if len(self.shape) != len(self.strides) or any(side < 0 for side in sides):
            raise ValueError("a tensor has no shape")
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if not math.prod(self.shape):
            return np.empty(self.shape, "float32" if short else flat.dtype)
        if not self.offset + last < len(flat):
            raise ValueError("a tensor reaches beyond its storage")
        steps = tuple(step * flat.itemsize for step in self.strides)
        values = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, steps)
        return (values.astype("uint32") << 16).view("float32") if short else values.copy()


def tensors_in(file: IO[bytes]) -> dict[str, Array]:
    """Tensors of a model's file by name.

    The file holds a state, a checkpoint with one, or a whole model.

    Raises:
        ValueError: If it is no such file, or holds no tensors.
    """
    whole, contents = (_zipped if zipfile.is_zipfile(file) else _legacy)(file)
    found = _without_wrapping(_weights(whole))
    if not found:
        raise ValueError("it holds no tensors")
    return {name: one.numbers(contents[one.storage.key]) for name, one in found.items()}


def _stored(identifier: Any) -> Any:
    """Storage that an identifier outside the pickle names, or a class with its source code."""
    kind, of, key, *rest = identifier
    if kind == "module":
        return of
    if kind != "storage" or not isinstance(of, Named) or (len(rest) > 2 and rest[2]):
        raise ValueError("it has something stored that is not a tensor")
    name = _KINDS.get(of.name.removesuffix("Storage"))
    if name is None:
        raise ValueError(f"it has numbers of the type {of.name}")
    return _Storage(name, str(key))


def _zipped(file: IO[bytes]) -> tuple[Any, Mapping[str, bytes]]:
    """Value and storages of a file since torch 1.6."""
    archive = zipfile.ZipFile(file)
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "data.pkl" not in names:
        raise ValueError("it is a zip file without a model")
    if "byteorder" in names and archive.read(names["byteorder"]) != b"little":
        raise ValueError("its numbers are big-endian")
    with archive.open(names["data.pkl"]) as pickled:
        whole = read_pickle(pickled, _stored)
    keys = {name.removeprefix("data/"): name for name in names if name.startswith("data/")}
    return whole, {key: archive.read(names[name]) for key, name in keys.items()}


def _legacy(file: IO[bytes]) -> tuple[Any, Mapping[str, bytes]]:
    """Value and storages of a file from before torch 1.6."""
    file.seek(0)
    sizes: dict[str, int] = {}

    def stored(identifier: Any) -> Any:
        one = _stored(identifier)
        if isinstance(one, _Storage):
            sizes[one.key] = 2 if one.kind == "bfloat16" else np.dtype(one.kind).itemsize
        return one

    if read_pickle(file, stored) != _MAGIC:
        raise ValueError("torch did not write it")
    read_pickle(file, stored)
    if not read_pickle(file, stored).get("little_endian", True):
        raise ValueError("its numbers are big-endian")
    whole = read_pickle(file, stored)
    contents = {}
    for key in map(str, read_pickle(file, stored)):
        count = int.from_bytes(file.read(8), "little")
        contents[key] = file.read(count * sizes[key])
    return whole, contents


def _weights(whole: Any) -> dict[str, Tensor]:
    """Tensors of the state of a model, of a checkpoint or of a whole model."""
    if isinstance(whole, Mapping):
        own = {str(key): one for key, value in whole.items() if (one := _tensor(value))}
        states = (_weights(whole[key]) for key in _STATES if key in whole)
        return own or next(filter(None, states), {})
    return dict(_of_module(whole, "", 0))


def _of_module(module: Any, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a module and the modules in it, named as in its state."""
    if not isinstance(module, Made) or not isinstance(module.state, Mapping) or depth > _DEEPEST:
        return
    state = module.state
    passing = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, value in (state.get(kind) or {}).items():
            tensor = _tensor(value)
            if tensor is not None and not (kind == "_buffers" and name in passing):
                yield f"{prefix}{name}", tensor
    for name, inner in (state.get("_modules") or {}).items():
        yield from _of_module(inner, f"{prefix}{name}.", depth + 1)


def _tensor(value: Any) -> Tensor | None:
    """The tensor that a value is, a parameter included; None where it is none."""
    if not isinstance(value, Made) or not isinstance(value.of, Named) or not value.arguments:
        return None
    name, first = value.of.name, value.arguments[0]
    if name.startswith("_rebuild_parameter"):
        return _tensor(first)
    if name not in ("_rebuild_tensor", "_rebuild_tensor_v2") or not isinstance(first, _Storage):
        return None
    _, offset, shape, strides, *_ = value.arguments
    return Tensor(first, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _without_wrapping(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without the prefixes that all of their names have."""
    for prefix in _WRAPPED:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): one for name, one in tensors.items()}
    return dict(tensors)


def main() -> int:
    """Convert the file that is named, with the pairs of its description."""
    path, *described = confine()
    name = Path(path).name
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    with Path(path).open("rb") as file:
        renounce()
        try:
            tensors = tensors_in(file)
        except (ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            hint = "name a file that torch.save wrote: a state_dict, a checkpoint or a model"
            return refuse(InputError(f"{name}: no weights of torch: {error}", hint))
        about = dict(zip(described[::2], described[1::2], strict=True))
        sys.stdout.buffer.write(save(tensors, {"format": "pt", **about}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
