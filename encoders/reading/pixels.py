"""Read many images into one array of normalised pixels, a few at a time in threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from encoders.reading.augmentation import Augmentation, augment
from encoders.reading.limits import Grey
from encoders.reading.picture import Picture, read_parts
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import normalise, to_square

if TYPE_CHECKING:
    from encoders.image import Preprocessing


Loaded = TypeVar("Loaded")


class Readable(NamedTuple):
    """The readable images of a list.

    Args:
        pixels: Normalised pixels `[n, c, H, W]` of the readable ones, in their order.
        kept: Position in the list of each row of `pixels`.
        rejected: The others, each with its path and reason.
    """

    pixels: Grey
    kept: tuple[int, ...]
    rejected: tuple[RejectedImage, ...]


def load_pixels(
    pictures: Sequence[Path | str | Picture],
    preprocessing: Preprocessing,
    recipe: str = "whole",
    *,
    window: str = "",
    threads: int = 1,
    augmentation: Augmentation | None = None,
    generator: np.random.Generator | None = None,
) -> Grey:
    """Pixels `[n, c, H, W]` of every image, normalised, in the order of `pictures`.

    Args:
        pictures: The files, or slices and frames of them; those of one file that follow each
            other are read together.
        preprocessing: Size and normalisation the backbone expects.
        recipe: Name of the fixed view.
        window: Name of a CT window; empty = the file's own, or the lung window.
        threads: Images decoded at once; the result is the same with any number.
        augmentation: For training only: augmentation ranges.
        generator: Source of the draws; required with `augmentation`.

    Raises:
        RejectedImage: For the first image in the list that cannot be read.
    """
    seeds = iter(_seeds(len(pictures), augmentation, generator))
    groups = [(path, shown, [next(seeds, 0) for _ in shown]) for path, shown in _files(pictures)]

    def load(place: int) -> list[Grey]:
        path, shown, drawn = groups[place]
        squares = _squares(path, shown, preprocessing, recipe, window)
        if augmentation is not None:
            squares = (
                augment(square, augmentation, np.random.default_rng(seed))
                for square, seed in zip(squares, drawn, strict=True)
            )
        return [normalise(square, preprocessing) for square in squares]

    loaded = _each(load, len(groups), threads)
    return _stack([pixels for group in loaded for pixels in group], preprocessing)


def load_readable(
    paths: Sequence[Path | str],
    preprocessing: Preprocessing,
    recipe: str = "whole",
    *,
    threads: int = 1,
) -> Readable:
    """As `load_pixels`, but images that cannot be read are listed instead of raised."""

    def load(place: int) -> Grey | RejectedImage:
        try:
            path = Path(paths[place])
            (square,) = _squares(path, [Picture(path)], preprocessing, recipe)
            return normalise(square, preprocessing)
        except RejectedImage as rejected:
            return rejected

    loaded = _each(load, len(paths), threads)
    kept = tuple(i for i, one in enumerate(loaded) if not isinstance(one, RejectedImage))
    return Readable(
        _stack([one for one in loaded if not isinstance(one, RejectedImage)], preprocessing),
        kept,
        tuple(one for one in loaded if isinstance(one, RejectedImage)),
    )


def _files(pictures: Sequence[Path | str | Picture]) -> list[tuple[Path, list[Picture]]]:
    """Files in order, each with the pictures of it that follow each other."""
    named = (one if isinstance(one, Picture) else Picture(Path(one)) for one in pictures)
    return [(path, [*group]) for path, group in itertools.groupby(named, key=lambda one: one.path)]


def _squares(
    path: Path,
    pictures: Sequence[Picture],
    preprocessing: Preprocessing,
    recipe: str,
    window: str = "",
) -> Iterator[Grey]:
    """Square views of pictures of one file, one by one; what is cut into tiles is read once."""
    side, colour = preprocessing.size, preprocessing.colour
    target = side * max(one.tile.side if one.tile else 1 for one in pictures)
    groups = [(part, [*each]) for part, each in itertools.groupby(pictures, lambda one: one.part)]
    parts = [part for part, _ in groups]
    read = read_parts(path, parts, target=target, window=window, colour=colour)
    for (_, each), shown in zip(groups, read, strict=True):
        for one in each:
            yield to_square(one.tile.cut(shown) if one.tile else shown, side, recipe)


def _seeds(
    count: int, augmentation: Augmentation | None, generator: np.random.Generator | None
) -> Sequence[int]:
    """One seed an image, drawn in order, so that threads do not change the result."""
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
