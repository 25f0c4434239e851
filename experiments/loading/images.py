"""Image loading for a cohort: cached tokens of a frozen encoder, or pixels to train on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.cache import FeatureCache, image_key
from encoders.contents import Contents
from encoders.image import IMAGE_ENCODERS, FittedEncoder, Preprocessing
from encoders.reading.augmentation import Augmentation
from encoders.reading.picture import READING, Picture, look
from encoders.reading.pixels import load_pixels
from encoders.reading.places import share
from encoders.reading.rejected import RejectedImage
from encoders.reading.tiles import Tile
from encoders.reduce import Reducer, pool_tokens
from encoders.study import MODALITIES, VIEWS, Study, StudyImage
from encoders.weights import FROM_RUN, RANDOM, load_into, read_weights
from experiments.config.schema import ImageSection
from experiments.loading.cohort import Pictures
from experiments.loading.image_needs import check_pixels, maps_for, resized_boxes, with_colour
from fusion.needs import NO_NEEDS, Needs
from kg.options import parse_options
from kg.progress import Progress

__all__ = ["ImageLoader", "ResizedImages"]

log = logging.getLogger(__name__)

ENCODER = "encoder."
"""Prefix of the tensors of a fitted encoder."""
NOTES = 20
"""Largest number of notes on files that are logged at a time."""


class ResizedImages(Protocol):
    """Images that are already decoded and resized by the view recipe to the encoder's size.

    `side` and `view` are their size and recipe, `values` all of them, `[P, H, W]` in [0, 1];
    `kept` is false for images of a single batch.
    """

    @property
    def side(self) -> int: ...  # noqa: D102

    @property
    def view(self) -> str: ...  # noqa: D102

    @property
    def kept(self) -> bool: ...  # noqa: D102

    @property
    def values(self) -> Tensor: ...  # noqa: D102

    def places(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """Row of each image, by its path relative to the root; -1 = not among them."""


class ImageLoader:
    """Loads the images of studies by the image section of a configuration.

    Args:
        section: Encoder, and pooling and reduction of its tokens.
        cache: Folder of feature caches.
        seed: Seed of the fitted reduction.
        needs: Inputs that the system requires.
    """

    def __init__(
        self, section: ImageSection, cache: Path, seed: int, needs: Needs = NO_NEEDS
    ) -> None:
        if section.encoder is None:
            raise ValueError("this configuration uses no images")
        check_pixels(needs, section)
        self.section, self.cache, self.seed, self.needs = section, cache, seed, needs
        part = IMAGE_ENCODERS.load(section.encoder.name)
        where = f"image.encoder.{section.encoder.name}"
        options = dict(section.encoder.options)
        file = str(options.get("weights", ""))
        if file.startswith(FROM_RUN):
            options["weights"] = RANDOM
        self.encoder: Any = part(parse_options(part.Options, options, where=where))
        if file.startswith(FROM_RUN):
            file = file.removeprefix(FROM_RUN)
            load_into(self.encoder, read_weights(file), name=file)
        if needs.colour:
            name = section.encoder.name
            self.encoder.preprocessing = with_colour(self.encoder.preprocessing, name)
        self.encoder.eval()
        self.maps = maps_for(needs, self.encoder, section)
        if not section.frozen:
            self.encoder.trainable(section.trains or -1)
        self.reducer: Reducer | None = None
        self.resized: ResizedImages | None = None
        self.contents = Contents()
        self._parts: dict[Path, int] = {}
        self._notes: dict[str, list[Path]] = {}

    @property
    def trainable_encoder(self) -> nn.Module | None:
        """Encoder that trains with the system; None where it is frozen."""
        return None if self.section.frozen else self.encoder

    @property
    def augmentation(self) -> Augmentation | None:
        """Augmentation of training pixels; None for cached tokens."""
        augment = self.section.augment
        if self.section.frozen or augment is False:
            return None
        return Augmentation() if augment is True else augment

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tokens of an image and their width, as given to the system."""
        if not self.section.frozen:
            return self._raw_shape()
        tokens, width = self._pooled_shape()
        return tokens, self.reducer.width if self.reducer else width

    def fit(self, studies: Sequence[Study], root: Path) -> None:
        """Fit encoder and reduction, where they are fitted, on the images of training studies."""
        fitted = isinstance(self.encoder, FittedEncoder)
        if not (self.section.frozen and (self.section.reduce or fitted)):
            return
        chosen = [self.chosen(study, root) for study in studies]
        self._say()
        pictures = [_picture(image, root) for images in chosen for image in images]
        generator = np.random.default_rng(self.seed)
        if fitted:
            number = min(self.encoder.images, len(pictures))
            at = np.sort(generator.choice(len(pictures), number, replace=False))
            pixels = self._load([pictures[place] for place in at], self.encoder.preprocessing)
            self.encoder.fit(torch.from_numpy(pixels))
        if not self.section.reduce:
            return
        array, rows = self._tokens(pictures)
        width = min(self.section.reduce, self._pooled_shape()[1])
        self.reducer = Reducer.fit(array[np.sort(rows)], generator, width, limit=20_000)

    def allowed(self, study: Study) -> tuple[StudyImage, ...]:
        """Images of a study whose view may be read."""
        limits = (self.section.views, self.needs.views)
        return tuple(
            image
            for image in study.images
            if all(not views or image.view in views for views in limits)
        )

    def chosen(self, study: Study, root: Path) -> tuple[StudyImage, ...]:
        """Images of a study that are read, at most `limit`; see `encoders.reading.places`.

        A still image that is cut into tiles counts once.

        Args:
            study: The study.
            root: Folder its image paths are relative to.
        """
        allowed = self.allowed(study)
        known = self._held([one.path for one in allowed])
        counts = [
            1 if one.frame is not None or still else self._count(root / one.path)
            for one, still in zip(allowed, known, strict=True)
        ]
        shown = share(counts, self.section.limit)
        return tuple(
            one
            for image, count, places in zip(allowed, counts, shown, strict=True)
            for place in places
            for one in (self._tiles(image) if count == 1 else [replace(image, frame=place)])
        )

    def _tiles(self, image: StudyImage) -> list[StudyImage]:
        """Tiles of a still image, where configured; a slice or frame as it is."""
        side = self.section.tiles
        if side == 1 or image.frame is not None:
            return [image]
        return [replace(image, tile=Tile(place, side)) for place in range(side**2)]

    def _count(self, path: Path) -> int:
        """Number of slices or frames of a file; 1 where it is unreadable, reported later."""
        if path not in self._parts:
            try:
                about = look(path)
            except RejectedImage:
                return 1
            for note in about.notes:
                self._notes.setdefault(note, []).append(path)
            self._parts[path] = about.parts
        return self._parts[path]

    def _say(self) -> None:
        """Log new notes on files, each note once with its files."""
        for note, paths in list(self._notes.items())[:NOTES]:
            more = f" (and {len(paths) - 1} more files)" if len(paths) > 1 else ""
            log.warning("%s: %s%s", paths[0], note, more)
        if len(self._notes) > NOTES:
            log.warning("%d more notes of this kind", len(self._notes) - NOTES)
        self._notes.clear()

    def read(self, studies: Sequence[Study], root: Path) -> Pictures:
        """Tensors of the images of studies, each image once."""
        chosen = [self.chosen(study, root) for study in studies]
        self._say()
        most = max([len(images) for images in chosen] + [1])
        place: dict[Picture, int] = {}
        rows, view, modality = (torch.zeros(len(studies), most, dtype=torch.long) for _ in range(3))
        rows -= 1
        for n, images in enumerate(chosen):
            for v, image in enumerate(images):
                rows[n, v] = place.setdefault(_picture(image, root), len(place))
                view[n, v] = VIEWS.index(image.view)
                modality[n, v] = MODALITIES.index(image.modality)
        pictures = list(place)
        resized = self._resized(pictures, root)
        if resized is not None:
            values, at = resized
            rows = torch.where(rows < 0, rows, at[rows.clamp_min(0)])
        else:
            values = self._values(pictures) if self.section.frozen else self._read_pixels(pictures)
        expected: Preprocessing = self.encoder.preprocessing
        boxes = None
        if self.needs.boxes:
            boxes = resized_boxes(chosen, root, expected.size, self.section.recipe)
        pictures_read = Pictures(values, rows, view, modality, boxes=boxes)
        if self.section.frozen:
            return pictures_read
        return replace(pictures_read, mean=expected.mean, std=expected.std)

    def _held(self, paths: Sequence[str]) -> Sequence[bool]:
        """True for each image that is already resized."""
        if self.resized is None:
            return [False] * len(paths)
        held: list[bool] = (self.resized.places(paths) >= 0).tolist()
        return held

    def _resized(self, pictures: list[Picture], root: Path) -> tuple[Tensor, Tensor] | None:
        """Resized images or their tokens, and the row of each image; None = read the files.

        Tokens of a frozen encoder are cached by file, and the files are read once; tokens of
        streamed images are computed anew.
        """
        resized, section = self.resized, self.section
        if resized is None or not pictures or section.window or self.needs.colour:
            return None
        if (resized.side, resized.view) != (self.encoder.preprocessing.size, section.recipe):
            return None
        places = resized.places([one.path.relative_to(root).as_posix() for one in pictures])
        if (places < 0).any() or any(one.part is not None or one.tile for one in pictures):
            return None
        if not section.frozen:
            return resized.values, torch.from_numpy(places)
        return None if resized.kept else (self._uncached(resized.values), torch.from_numpy(places))

    def _uncached(self, images: Tensor) -> Tensor:
        """Tokens `[P, S, D]` of resized images, not cached."""
        expected: Preprocessing = self.encoder.preprocessing
        mean, std = (torch.tensor(of)[:, None, None] for of in (expected.mean, expected.std))
        chunks = []
        for start in range(0, len(images), 16):
            some = images[start : start + 16]
            with torch.inference_mode():
                tokens = self._pool(self.encoder((some[:, None].float() - mean) / std))
            # in the precision of the cache
            chunks.append(tokens.half() if self.reducer is None else self._reduced(tokens))
        return torch.cat(chunks)

    def _reduced(self, tokens: Tensor) -> Tensor:
        assert self.reducer is not None
        return self.reducer.apply(tokens.half())

    def state(self) -> dict[str, Tensor]:
        """Fitted state as tensors."""
        state: dict[str, Tensor] = {}
        if isinstance(self.encoder, FittedEncoder):
            fitted = self.encoder.state_dict()
            state |= {f"{ENCODER}{name}": tensor for name, tensor in fitted.items()}
        if self.reducer is not None:
            state["reducer.mean"] = self.reducer.mean
            state["reducer.components"] = self.reducer.components
        return state

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the fitted state."""
        if isinstance(self.encoder, FittedEncoder):
            own = [name for name in tensors if name.startswith(ENCODER)]
            self.encoder.restore({name.removeprefix(ENCODER): tensors[name] for name in own})
        if "reducer.mean" in tensors:
            self.reducer = Reducer(tensors["reducer.mean"], tensors["reducer.components"])

    def _values(self, pictures: list[Picture]) -> Tensor:
        """Tokens `[P, S, D]`, reduced where a reduction was fitted."""
        if not pictures:
            return torch.zeros(1, *self.shape)
        array, rows = self._tokens(pictures)
        chunks = []
        for start in range(0, len(rows), 512):
            tokens = torch.from_numpy(np.asarray(array[rows[start : start + 512]]))
            chunks.append(self.reducer.apply(tokens) if self.reducer else tokens)
        return torch.cat(chunks)

    def _tokens(self, pictures: list[Picture]) -> tuple[Any, Any]:
        """Array of the cache and the row of each image; missing ones are computed."""
        key = image_key(self.encoder, self.section.recipe, READING)
        key["pool"] = f"{self.section.grid} {self.section.pool}"
        key |= self._windowed()
        cache = self._cache(key, self._pooled_shape())
        rows = cache.fill(
            pictures, self._encode, progress=Progress(log, "encoding", "new images").at
        )
        return cache.array(), rows

    def _cache(self, key: Mapping[str, str], shape: tuple[int, int]) -> FeatureCache[Picture]:
        return FeatureCache(self.cache, key, shape, self.contents)

    def _encode(self, pictures: list[Picture]) -> np.ndarray[Any, Any]:
        pixels = torch.from_numpy(self._load(pictures, self.encoder.preprocessing))
        with torch.inference_mode():
            tokens = self.encoder(pixels)
        pooled: np.ndarray[Any, Any] = self._pool(tokens).numpy()
        return pooled

    def _load(self, pictures: list[Picture], expected: Preprocessing) -> np.ndarray[Any, Any]:
        section = self.section
        return load_pixels(pictures, expected, section.recipe, window=section.window, threads=2)

    def _read_pixels(self, pictures: list[Picture]) -> Tensor:
        """Resized images in [0, 1], cached like tokens.

        Grey ones are `[P, H, W]`, colour ones `[P, 3, H, W]`.
        """
        side, colour = self.encoder.preprocessing.size, self.needs.colour
        planes = 3 if colour else 1
        shape = (side, side) if not colour else (planes, side, side)
        if not pictures:
            return torch.zeros(1, *shape)
        plain = Preprocessing(side, (0.0,) * planes, (1.0,) * planes, colour=colour)
        key = {"pixels": str(side), "recipe": self.section.recipe, "version": READING}
        key |= self._windowed() | ({"colour": "red, green, blue"} if colour else {})
        cache = self._cache(key, (planes * side, side))

        def load(some: list[Picture]) -> np.ndarray[Any, Any]:
            return self._load(some, plain).reshape(len(some), planes * side, side)

        rows = cache.fill(pictures, load, progress=Progress(log, "encoding", "new images").at)
        return torch.from_numpy(np.asarray(cache.array()[rows])).view(len(rows), *shape)

    def _windowed(self) -> dict[str, str]:
        return {"window": self.section.window} if self.section.window else {}

    def _pool(self, tokens: Tensor) -> Tensor:
        return pool_tokens(tokens, self.section.grid, self.section.pool)

    def _raw_shape(self) -> tuple[int, int]:
        """Number and width of the encoder's tokens."""
        expected = self.encoder.preprocessing
        with torch.inference_mode():
            tokens = self.encoder(torch.zeros(1, expected.channels, expected.size, expected.size))
        return int(tokens.shape[1]), int(tokens.shape[2])

    def _pooled_shape(self) -> tuple[int, int]:
        pooled = self._pool(torch.zeros(1, *self._raw_shape()))
        return int(pooled.shape[1]), int(pooled.shape[2])


def _picture(image: StudyImage, root: Path) -> Picture:
    return Picture(root / image.path, image.frame, image.tile)
