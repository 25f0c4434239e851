"""The data set a command names, and the copy of it on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.cli.arguments import data_root, is_made
from kg.errors import InputError

__all__ = ["copy_of", "load_dataset"]

MADE = Path("runs") / "cache" / "datasets"


def load_dataset(name: str, options: tuple[str, ...] = ()) -> Any:
    """A data set with its options, `key=value`; those not written are the usual ones."""
    from experiments.datasets import DATASETS
    from kg.options import parse_options

    part = DATASETS.load(name)
    given = dict(option.partition("=")[::2] for option in options)
    return part(parse_options(part.Options, given, where=name))


def copy_of(name: str, part: Any, root: Path | None, *, needed: bool = True) -> Path:
    """The data set's own folder; one that kgdx makes itself is made in the cache of the runs."""
    from experiments.datasets._layout import present
    from experiments.preparation.inspection import locate

    where = data_root(root, name)
    if is_made(name):
        return where / name if (where / name).is_dir() else MADE / name
    try:
        return locate(name, part, where)
    except InputError:
        if needed:
            raise
        own = not (where / name).is_dir() and any(present(where, file) for file in part.files)
        return where if own else where / name
