"""The data set a command names, and the copy of it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.arguments import data_root
from kg.errors import InputError

if TYPE_CHECKING:
    from experiments.preparation.open_dataset import OpenDataset

__all__ = ["load_dataset", "open_copy", "raw_folder"]

CACHE = Path("runs") / "cache"


def load_dataset(name: str, options: tuple[str, ...] = ()) -> Any:
    """A data set with its options, `key=value`; those not written are the usual ones."""
    from experiments.preparation.open_dataset import build_dataset

    given = dict(option.partition("=")[::2] for option in options)
    return build_dataset(name, given, where=name)


def open_copy(name: str, part: Any, root: Path | None, labels: str = "") -> OpenDataset:
    """The data set as it is on this machine, in a raw folder or a prepared copy."""
    from experiments.preparation.open_dataset import OpenDataset

    return OpenDataset.find(name, part, data_root(root, name), CACHE, labels)


def raw_folder(name: str, part: Any, root: Path | None, *, needed: bool = True) -> Path:
    """The data set's own raw folder; where it is not needed yet, the one it will be in."""
    from experiments.datasets._layout import present
    from experiments.preparation.inspection import locate

    where = data_root(root, name)
    try:
        return locate(name, part, where, CACHE)
    except InputError:
        if needed:
            raise
        own = not (where / name).is_dir() and any(present(where, file) for file in part.files)
        return where if own else where / name
