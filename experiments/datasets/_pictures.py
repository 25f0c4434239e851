"""Look-up of image files by name, whatever ending a copy gave them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from encoders.reading.raster import open_raster
from encoders.reading.rejected import RejectedImage
from kg.errors import InputError

ENDINGS = [
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".svs",
    ".dcm",
    ".dicom",
    ".nii",
    ".gz",
    ".img",
    ".mp4",
    ".avi",
    ".mov",
    ".mpeg",
    ".mpg",
    ".webm",
]

_KNOWN = frozenset(ending[1:] for ending in ENDINGS)


class Pictures:
    """The image files in some folders under a root.

    A published table names `a.png`; a copy may hold `a.png`, `a.png.jpg`, `a.jpg` or `a.dcm`:
    the exact name is preferred, then the name with a further ending, then the stem.

    Args:
        root: The data set's root.
        folders: Folders of images under it; missing ones are skipped.
    """

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.root = root
        self._names: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for folder in folders:
            for place in _files(root, folder):
                name = place.rsplit("/", 1)[-1]
                if stem(name) != name:
                    self._names.setdefault(name, []).append(place)
                    self._stems.setdefault(stem(name), []).append(place)

    def __len__(self) -> int:
        return sum(len(places) for places in self._names.values())

    def all(self) -> list[str]:
        """Every image, relative to the root, sorted."""
        return sorted(place for places in self._names.values() for place in places)

    def find(self, name: str) -> str | None:
        """Path of the image called `name`, relative to the root, or None.

        Raises:
            InputError: If several images match.
        """
        base = name.replace("\\", "/").rsplit("/", 1)[-1]
        shorter = stem(base)
        if shorter not in self._stems:
            return None
        places = self._names.get(base, [])
        if not places and shorter != base:
            longer = (self._names.get(base + ending) for ending in ENDINGS)
            places = next(filter(None, longer), [])
        return self._only(name, places or self._stems[shorter])

    def at(self, place: str) -> str | None:
        """The image at a path relative to the root, whatever its ending, or None.

        Raises:
            InputError: If several images match.
        """
        folder, _, name = place.rpartition("/")
        if place in self._names.get(name, ()):
            return place
        near = [at for at in self._stems.get(stem(name), []) if at.rpartition("/")[0] == folder]
        return self._only(place, near)

    def _only(self, name: str, places: list[str]) -> str | None:
        if len(places) > 1:
            raise InputError(
                f"{self.root}: the image {name!r} could be any of {', '.join(places)}",
                "keep one of them",
            )
        return places[0] if places else None


def _files(root: Path, folder: str) -> Iterator[str]:
    """Every file in a folder, relative to the root, in a fixed order."""
    top = len(str(root)) + 1
    for place, folders, names in os.walk(root / folder):
        folders.sort()
        for name in sorted(names):
            yield f"{place}/{name}"[top:]


def stem(name: str) -> str:
    """An image's name without its endings (`1_IM-0001.dcm.png` gives `1_IM-0001`)."""
    while True:
        shorter, _, ending = name.rpartition(".")
        if not shorter or ending.lower() not in _KNOWN:
            return name
        name = shorter


def size(path: Path) -> tuple[int, int] | None:
    """Width and height of an image by its header, in pixels; None without one."""
    try:
        with open_raster(path) as picture:
            return picture.size
    except RejectedImage:
        return None


def draw(path: Path, rng: np.random.Generator, *, bright: bool = False) -> None:
    """Write a made-up grey image of 64 x 48 pixels, with a bright patch if `bright`."""
    pixels = rng.integers(40, 120, (48, 64), dtype=np.uint8)
    if bright:
        pixels[16:32, 20:44] = 220
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
