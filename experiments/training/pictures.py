"""Pictures of a cohort as tensors: cached tokens of a frozen encoder, or pixels to train on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from encoders.cache import FeatureCache, image_key
from encoders.image import IMAGE_ENCODERS, Preprocessing
from encoders.reading.pixels import load_pixels
from encoders.reading.transforms import Augmentation
from encoders.reduce import Reducer, pool_tokens
from encoders.study import MODALITIES, VIEWS, Study, StudyImage
from experiments.config.schema import ImageSection
from experiments.training.cohort import Pictures
from kg.options import parse_options

__all__ = ["PictureReader"]

log = logging.getLogger(__name__)

READING = "1"
"""Version of the reading code; change it when the same file gives other pixels."""


class PictureReader:
    """Reads the pictures of studies by one image section of a configuration.

    Args:
        section: Which encoder, whether it is frozen, how tokens are pooled and reduced.
        cache: Folder of feature caches.
        seed: Seed of what is drawn when fitting.
    """

    def __init__(self, section: ImageSection, cache: Path, seed: int) -> None:
        if section.encoder is None:
            raise ValueError("pictures are not used by this configuration")
        self.section, self.cache, self.seed = section, cache, seed
        part = IMAGE_ENCODERS.load(section.encoder.name)
        where = f"image.encoder.{section.encoder.name}"
        options = parse_options(part.Options, section.encoder.options, where=where)
        self.encoder: Any = part(options)
        self.encoder.eval()
        if not section.frozen:
            self.encoder.trainable(section.trains)
        self.reducer: Reducer | None = None

    @property
    def trainable_encoder(self) -> nn.Module | None:
        """The encoder where it trains with the system."""
        return None if self.section.frozen else self.encoder

    @property
    def augmentation(self) -> Augmentation | None:
        """How far training pixels are moved about; None for cached tokens."""
        return Augmentation() if self.section.augment and not self.section.frozen else None

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens of a picture and their width, as the system sees them."""
        if not self.section.frozen:
            return self._raw_shape()
        tokens, width = self._pooled_shape()
        return tokens, self.reducer.width if self.reducer else width

    def fit(self, studies: Sequence[Study], root: Path) -> None:
        """Fit the reduction on the pictures of training studies."""
        if not (self.section.frozen and self.section.reduce):
            return
        chosen = [self.chosen(study) for study in studies]
        paths = [root / image.path for images in chosen for image in images]
        rows = np.sort(self._tokens(paths)[1])
        tokens = self._tokens(paths)[0]
        generator = np.random.default_rng(self.seed)
        width = min(self.section.reduce, self._pooled_shape()[1])
        self.reducer = Reducer.fit(tokens[rows], generator, width, limit=20_000)

    def chosen(self, study: Study) -> tuple[StudyImage, ...]:
        """The pictures of a study that are read: allowed views, evenly spaced to the limit."""
        allowed = [
            image
            for image in study.images
            if not self.section.views or image.view in self.section.views
        ]
        if len(allowed) > self.section.limit:
            places = np.linspace(0, len(allowed) - 1, self.section.limit).round().astype(int)
            allowed = [allowed[place] for place in places]
        return tuple(allowed)

    def read(self, studies: Sequence[Study], root: Path) -> Pictures:
        """Tensors of the pictures of studies, each picture once."""
        chosen = [self.chosen(study) for study in studies]
        most = max([len(images) for images in chosen] + [1])
        place: dict[str, int] = {}
        rows, view, modality = (torch.zeros(len(studies), most, dtype=torch.long) for _ in range(3))
        rows -= 1
        for n, images in enumerate(chosen):
            for v, image in enumerate(images):
                rows[n, v] = place.setdefault(image.path, len(place))
                view[n, v] = VIEWS.index(image.view)
                modality[n, v] = MODALITIES.index(image.modality)
        paths = [root / path for path in place]
        if not self.section.frozen:
            wanted: Preprocessing = self.encoder.preprocessing
            grey = self._grey(paths)
            return Pictures(grey, rows, view, modality, wanted.mean, wanted.std)
        return Pictures(self._values(paths), rows, view, modality)

    def state(self) -> dict[str, Tensor]:
        """What was fitted, as tensors."""
        if self.reducer is None:
            return {}
        return {"reducer.mean": self.reducer.mean, "reducer.components": self.reducer.components}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        if "reducer.mean" in tensors:
            self.reducer = Reducer(tensors["reducer.mean"], tensors["reducer.components"])

    def _values(self, paths: list[Path]) -> Tensor:
        """Tokens `[P, S, D]`, reduced where a reduction was fitted."""
        if not paths:
            return torch.zeros(1, *self.shape)
        array, rows = self._tokens(paths)
        parts = []
        for start in range(0, len(rows), 512):
            tokens = torch.from_numpy(np.asarray(array[rows[start : start + 512]]))
            parts.append(self.reducer.apply(tokens) if self.reducer else tokens)
        return torch.cat(parts)

    def _tokens(self, paths: list[Path]) -> tuple[Any, Any]:
        """The cache's array and the row of each picture; computes what is missing."""
        key = image_key(self.encoder, self.section.recipe, READING)
        key["pool"] = f"{self.section.grid} {self.section.pool}"
        cache: FeatureCache[Path] = FeatureCache(self.cache, key, self._pooled_shape())
        rows = cache.fill(paths, self._encode, progress=_tell)
        return cache.array(), rows

    def _encode(self, paths: list[Path]) -> np.ndarray[Any, Any]:
        wanted = self.encoder.preprocessing
        pixels = torch.from_numpy(load_pixels(paths, wanted, self.section.recipe, threads=2))
        with torch.inference_mode():
            tokens = self.encoder(pixels)
        pooled: np.ndarray[Any, Any] = self._pool(tokens).numpy()
        return pooled

    def _grey(self, paths: list[Path]) -> Tensor:
        """Square grey pictures `[P, H, W]` in [0, 1], kept once made like tokens are."""
        side = self.encoder.preprocessing.size
        if not paths:
            return torch.zeros(1, side, side)
        plain = Preprocessing(side, (0.0,), (1.0,))
        key = {"pixels": str(side), "recipe": self.section.recipe, "version": READING}
        cache: FeatureCache[Path] = FeatureCache(self.cache, key, (side, side))
        rows = cache.fill(
            paths,
            lambda part: load_pixels(part, plain, self.section.recipe, threads=2)[:, 0],
            progress=_tell,
        )
        return torch.from_numpy(np.asarray(cache.array()[rows]))

    def _pool(self, tokens: Tensor) -> Tensor:
        return pool_tokens(tokens, self.section.grid, self.section.pool)

    def _raw_shape(self) -> tuple[int, int]:
        """Tokens of the encoder as it is."""
        wanted = self.encoder.preprocessing
        with torch.inference_mode():
            tokens = self.encoder(torch.zeros(1, wanted.channels, wanted.size, wanted.size))
        return int(tokens.shape[1]), int(tokens.shape[2])

    def _pooled_shape(self) -> tuple[int, int]:
        made = self._pool(torch.zeros(1, *self._raw_shape()))
        return int(made.shape[1]), int(made.shape[2])


def _tell(done: int, of: int) -> None:
    """Progress of encoding, now and then."""
    if done == of or done % 320 == 0:
        log.info("encoded %d of %d new pictures", done, of)
