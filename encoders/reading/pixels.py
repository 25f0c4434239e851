"""Read many pictures into one array of normalised pixels, a few at a time in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from encoders.reading.limits import Grey
from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import Augmentation, augment, normalise, to_square

if TYPE_CHECKING:
    from encoders.image import Preprocessing


Loaded = TypeVar("Loaded")


class Readable(NamedTuple):
    """What could be read of a list of pictures.

    Args:
        pixels: Normalised pixels `[n, c, H, W]` of the readable ones, in their order.
        kept: Position in the list of each row of `pixels`.
        rejected: The others, each with its path and reason.
    """

    pixels: Grey
    kept: tuple[int, ...]
    rejected: tuple[RejectedImage, ...]


def load_pixels(
    paths: Sequence[Path | str],
    preprocessing: Preprocessing,
    recipe: str = "whole",
    *,
    threads: int = 1,
    augmentation: Augmentation | None = None,
    generator: np.random.Generator | None = None,
) -> Grey:
    """Pixels `[n, c, H, W]` of every picture, normalised, in the order of `paths`.

    Args:
        paths: The files.
        preprocessing: Size and normalisation the backbone expects.
        recipe: Name of the fixed view.
        threads: Pictures decoded at once; the result is the same with any number.
        augmentation: For training only: how far the pictures are moved about.
        generator: Where the draws come from; must be given with `augmentation`.

    Raises:
        RejectedImage: For the first picture in the list that cannot be read.
    """
    seeds = _seeds(len(paths), augmentation, generator)

    def load(place: int) -> Grey:
        square = _square(paths[place], preprocessing, recipe)
        if augmentation is not None:
            square = augment(square, augmentation, np.random.default_rng(seeds[place]))
        return normalise(square, preprocessing)

    return _stack(_each(load, len(paths), threads), preprocessing)


def load_readable(
    paths: Sequence[Path | str],
    preprocessing: Preprocessing,
    recipe: str = "whole",
    *,
    threads: int = 1,
) -> Readable:
    """As `load_pixels`, but pictures that cannot be read are listed instead of raised."""

    def load(place: int) -> Grey | RejectedImage:
        try:
            return normalise(_square(paths[place], preprocessing, recipe), preprocessing)
        except RejectedImage as rejected:
            return rejected

    loaded = _each(load, len(paths), threads)
    kept = tuple(i for i, one in enumerate(loaded) if not isinstance(one, RejectedImage))
    return Readable(
        _stack([one for one in loaded if not isinstance(one, RejectedImage)], preprocessing),
        kept,
        tuple(one for one in loaded if isinstance(one, RejectedImage)),
    )


def _square(path: Path | str, preprocessing: Preprocessing, recipe: str) -> Grey:
    return to_square(read_picture(path, target=preprocessing.size), preprocessing.size, recipe)


def _seeds(
    count: int, augmentation: Augmentation | None, generator: np.random.Generator | None
) -> Sequence[int]:
    """One seed a picture, drawn in order, so that threads do not change the result."""
    if augmentation is None:
        return ()
    if generator is None:
        raise ValueError("augmentation needs a generator")
    seeds: list[int] = generator.integers(2**63, size=count).tolist()
    return seeds


def _each(load: Callable[[int], Loaded], count: int, threads: int) -> list[Loaded]:
    if threads <= 1 or count <= 1:
        return [load(place) for place in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(load, range(count)))


def _stack(loaded: Sequence[Grey], preprocessing: Preprocessing) -> Grey:
    if not loaded:
        side = preprocessing.size
        return np.zeros((0, preprocessing.channels, side, side), np.float32)
    return np.stack(loaded)
