"""Loading of the data set a command names, and of its copy on this machine."""

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
    """A data set with its options, each `key=value`."""
    from experiments.preparation.open_dataset import build_dataset

    values = dict(option.partition("=")[::2] for option in options)
    return build_dataset(name, values, where=name)


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
