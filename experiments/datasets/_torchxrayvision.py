"""Label tables and reports inside the package torchxrayvision, read in place."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kg.errors import InputError


def shipped(name: str) -> Path:
    """A file inside the installed package, which is not imported (that would take seconds).

    Raises:
        InputError: If the package or the file is not there.
    """
    spec = find_spec("torchxrayvision")
    path = Path(spec.origin if spec and spec.origin else "").parent / "data" / name
    if not path.is_file():
        raise InputError(
            f"the package torchxrayvision does not bring {name}",
            "pip install 'torchxrayvision>=1.4'",
        )
    return path


def table_of(root: Path, places: str, name: str) -> Path:
    """The table at the first existing path under a root, else the one of the package.

    Args:
        root: The data set's root.
        places: Alternatives separated by `|`, as in `NeededFile.path`.
        name: File of the package.
    """
    for place in places.split("|"):
        for path in sorted(root.glob(place)):
            return path
    return shipped(name)
