"""The data set a command names, and the copy of it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.cli.arguments import data_root, is_made
from kg.errors import InputError

__all__ = ["copy_of", "load_dataset"]

MADE = Path("runs") / "cache" / "datasets"


def load_dataset(name: str) -> Any:
    """A data set with its default options."""
    from experiments.datasets import DATASETS

    part = DATASETS.load(name)
    return part(part.Options())


def copy_of(name: str, part: Any, root: Path | None, *, needed: bool = True) -> Path:
    """The data set's own folder; one that kgdx makes itself is made in the cache of the runs."""
    from experiments.inspection import locate

    where = data_root(root, name)
    if is_made(name):
        return where / name if (where / name).is_dir() else MADE / name
    try:
        return locate(name, part, where)
    except InputError:
        if needed:
            raise
        return where / name
