"""Loading of the data set a command names, and of its copy on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import data_root
from kg.errors import InputError

if TYPE_CHECKING:
    from experiments.preparation.open_dataset import OpenDataset

__all__ = ["load_dataset", "open_copy", "raw_folder"]

CACHE = Path("runs") / "cache"


def load_dataset(name: str, options: tuple[str, ...] = ()) -> Any:
    """A data set with its options, each `key=value`."""
    from experiments.preparation.open_dataset import build_dataset

    words = dict(option.partition("=")[::2] for option in options)
    values = {key: _value(name, key, word) for key, word in words.items()}
    return build_dataset(name, values, where=name)


def _value(name: str, key: str, word: str) -> Any:
    """A value of an option, a list where it is written as one."""
    if not word.startswith("["):
        return word
    try:
        return json.loads(word)
    except ValueError:
        hint = f'write {key}=["first", "second"]'
        raise InputError(f"{name}.{key}: {word} is no list", hint) from None


def open_copy(name: str, dataset: Any, root: Path | None, labels: str = "") -> OpenDataset:
    """The copy of a data set on this machine, in a raw folder or prepared."""
    from experiments.preparation.open_dataset import OpenDataset

    return OpenDataset.find(name, dataset, data_root(root, name), CACHE, labels)


def raw_folder(name: str, dataset: Any, root: Path | None, *, needed: bool = True) -> Path:
    """Raw folder of a data set; where it need not exist yet, the folder it will be in."""
    from experiments.datasets._layout import present
    from experiments.preparation.inspection import locate

    where = data_root(root, name)
    try:
        return locate(name, dataset, where, CACHE)
    except InputError:
        if needed:
            raise
        own = not (where / name).is_dir() and any(present(where, file) for file in dataset.files)
        return where if own else where / name
