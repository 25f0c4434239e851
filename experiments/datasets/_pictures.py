"""Finding a study's pictures by name, whatever ending the copy at hand gave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kg.errors import InputError

ENDINGS = [
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".dcm",
    ".dicom",
    ".nii",
    ".gz",
    ".mp4",
    ".avi",
    ".mov",
    ".mpeg",
    ".mpg",
    ".webm",
]


class Pictures:
    """The picture files in some folders under a root.

    A published table names `a.png`; a copy may hold `a.png`, `a.png.jpg`, `a.jpg` or `a.dcm`:
    the exact name is preferred, then the name with a further ending, then the stem.

    Args:
        root: The data set's root.
        folders: Folders under it that hold pictures; those that are not there are passed over.
    """

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.root = root
        self._names: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for folder in folders:
            for path in sorted((root / folder).rglob("*")):
                if path.suffix.lower() in ENDINGS and path.is_file():
                    place = path.relative_to(root).as_posix()
                    self._names.setdefault(path.name, []).append(place)
                    self._stems.setdefault(stem(path.name), []).append(place)

    def __len__(self) -> int:
        return sum(len(places) for places in self._names.values())

    def all(self) -> list[str]:
        """Every picture, relative to the root, sorted."""
        return sorted(place for places in self._names.values() for place in places)

    def find(self, name: str) -> str | None:
        """Path of the picture called `name`, relative to the root, or None.

        Raises:
            InputError: If more than one picture could be meant.
        """
        base = name.replace("\\", "/").rsplit("/", 1)[-1]
        longer = [base + ending for ending in ENDINGS] if stem(base) != base else []
        for candidate in (base, *longer):
            if candidate in self._names:
                return self._only(name, self._names[candidate])
        return self._only(name, self._stems.get(stem(base), []))

    def _only(self, name: str, places: list[str]) -> str | None:
        if len(places) > 1:
            raise InputError(
                f"{self.root}: the picture {name!r} could be any of {', '.join(places)}",
                "keep one of them",
            )
        return places[0] if places else None


def stem(name: str) -> str:
    """A picture's name without its endings (`1_IM-0001.dcm.png` gives `1_IM-0001`)."""
    while True:
        path = Path(name)
        if path.suffix.lower() not in ENDINGS or not path.stem:
            return name
        name = path.stem


def size(path: Path) -> tuple[int, int] | None:
    """Width and height of a picture from its header, in pixels; None where it has none."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def draw(path: Path, rng: np.random.Generator, *, bright: bool = False) -> None:
    """Write a made-up grey picture of 64 x 48 pixels, with a bright patch if asked for."""
    pixels = rng.integers(40, 120, (48, 64), dtype=np.uint8)
    if bright:
        pixels[16:32, 20:44] = 220
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
