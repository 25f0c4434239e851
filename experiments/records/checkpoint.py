"""Checkpoints: tensors as safetensors and state as JSON, hashed and written atomically; no pickle.

A checkpoint is a folder with `state.json` and `tensors-<hash>.safetensors`. The tensors are
written first, under a new name; renaming the new `state.json`, which names them, replaces the old
checkpoint by the new one. A process killed at any time leaves one of the two intact.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from experiments.records.atomic import atomic_path, write_json
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["Checkpoint", "load_checkpoint", "load_tensors", "save_checkpoint"]

STATE = "state.json"
FORMAT = 1
_PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".model")
_LISTED = 8


@dataclass(frozen=True)
class Checkpoint:
    """A saved checkpoint.

    Args:
        tensors: Tensors by name, on the CPU.
        state: Counters, schedules and states of random generators.
        identity: Run that the weights belong to: system, findings in order, graph, ...
        sha256: Hash of the file of tensors.
    """

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]
    identity: Mapping[str, Any]
    sha256: str = ""


def save_checkpoint(
    path_dir: Path,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Save a checkpoint, replacing an existing one.

    Args:
        path_dir: Folder of the checkpoint (`checkpoints/last`).
        tensors: Tensors by name; on any device, sharing memory or not.
        state: JSON values.
        identity: Run that the weights belong to, compared at loading: JSON values.

    Raises:
        InputError: If it cannot be written; the former checkpoint is intact.
    """
    try:
        path_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "free space or mend the rights"
        raise InputError(f"{path_dir} cannot be made: {error.strerror}", hint) from error
    name, digest = _write_tensors(path_dir, tensors)
    values = {
        "format": FORMAT,
        "tensors": name,
        "sha256": digest,
        "identity": dict(identity or {}),
        "state": dict(state),
    }
    write_json(path_dir / STATE, values)
    # the folder holds nothing else: former tensors, and temporary files of a killed writer or of
    # the safetensors library
    for other in path_dir.iterdir():
        if other.name not in (STATE, name):
            other.unlink(missing_ok=True)


def load_checkpoint(
    path_dir: Path,
    *,
    like: Mapping[str, Tensor] | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """Load a checkpoint after checking its hash.

    Args:
        path_dir: Folder of the checkpoint.
        like: Tensors to match by name, shape and type, or None.
        identity: Expected identity; only these keys are compared.

    Raises:
        InputError: If it is missing, damaged or pickled, or does not match; every difference
            is listed.
    """
    if path_dir.is_file():
        load_tensors(path_dir)
    values = _read_state(path_dir)
    path = path_dir / Path(str(values["tensors"])).name
    if not path.is_file() or _sha256(path) != values["sha256"]:
        raise InputError(f"{path} is missing or was changed since it was saved", _HINT)
    loaded = Checkpoint(
        load_tensors(path), values["state"], values["identity"], str(values["sha256"])
    )
    differences = [*_other_identity(loaded.identity, identity or {})]
    if like is not None:
        differences += _other_tensors(loaded.tensors, like)
    if differences:
        shown = "".join(f"\n    - {line}" for line in differences[:_LISTED])
        more = len(differences) - _LISTED
        rest = f"\n    - and {more} more" if more > 0 else ""
        raise InputError(
            f"{path_dir} does not fit the system it is loaded into:{shown}{rest}",
            "load it with the configuration it was trained with (config.yaml of its run)",
        )
    return loaded


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file; a pickled file is refused and never opened as one.

    Raises:
        InputError: If the file is missing, pickled, or damaged.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}", "check the path")
    if path.suffix.lower() in _PICKLED or _starts_like_pickle(path):
        raise InputError(
            f"{path} may hold pickled code and is not opened",
            "convert it to .safetensors where you trust its source, and name that file",
        )
    try:
        return dict(load_file(path))
    except (SafetensorError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a safetensors file: {reason}", _HINT) from None


_HINT = "it is damaged: use another checkpoint of the run, or run it again"


def _write_tensors(path_dir: Path, tensors: Mapping[str, Tensor]) -> tuple[str, str]:
    """Write tensors beside the former ones; returns file name and hash."""
    name = f"tensors-{secrets.token_hex(8)}.safetensors"
    with atomic_path(path_dir / name) as temporary:
        try:
            save_file(_apart(tensors), temporary)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        digest = _sha256(temporary)
    return name, digest


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU without shared memory, which the format does not allow."""
    used: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        memory = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if memory in used else plain
        used.add(memory)
    return apart


def _starts_like_pickle(path: Path) -> bool:
    """Whether a file starts like a pickle, a zip archive of torch or an array of numpy.

    The length at the start of a safetensors file can look like any of them, but not the brace
    after it.
    """
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return False
    return start.startswith((b"PK", b"\x80", b"\x93NUMPY"))


def _read_state(path_dir: Path) -> dict[str, Any]:
    path = path_dir / STATE
    if not path.is_file():
        raise InputError(f"there is no checkpoint in {path_dir}", "name the folder of one")
    try:
        values = dict(json_in(path))
        if values["format"] != FORMAT:
            raise InputError(f"{path} has format {values['format']}", f"this kgdx reads {FORMAT}")
        for key in ("tensors", "sha256", "identity", "state"):
            values[key]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not the state of a checkpoint", _HINT) from None
    return values


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _other_identity(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Differences between the identity of a checkpoint and the expected one."""
    for key, value in expected.items():
        was, now = json.loads(json.dumps([saved.get(key), value]))
        if was == now:
            continue
        if isinstance(was, list) and isinstance(now, list):
            yield _other_list(key, was, now)
        else:
            yield f"{key}: saved with {_short(was)}, now {_short(now)}"


def _other_list(key: str, was: Sequence[Any], now: Sequence[Any]) -> str:
    """Difference of two lists: in members, or only in order."""
    gone = [item for item in was if item not in now]
    added = [item for item in now if item not in was]
    if gone or added:
        return f"{key}: only saved: {_short(gone)}; only now: {_short(added)}"
    place = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), len(was))
    return f"{key}: the same in another order from place {place}: saved {_short(was[place:])}"


def _other_tensors(saved: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> list[str]:
    """Tensors that are missing, in excess, or of another shape or type."""
    lines = [f"{name}: not in the checkpoint" for name in like if name not in saved]
    lines += [f"{name}: only in the checkpoint" for name in saved if name not in like]
    for name in like:
        if name not in saved:
            continue
        was, now = saved[name], like[name]
        if was.shape != now.shape or was.dtype != now.dtype:
            lines.append(f"{name}: saved as {_form(was)}, now {_form(now)}")
    return lines


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _short(value: Any) -> str:
    return reprlib.repr(value)
