"""Catalog of image encoders: pixels in, a grid of tokens out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["IMAGE_ENCODERS", "FittedEncoder", "ImageEncoder", "Preprocessing"]


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing that a backbone needs.

    Args:
        size: Side of the square input in pixels.
        mean: Subtracted from pixels in [0, 1], one value for each channel.
        std: Divisor after that, one value for each channel.
        colour: True if images keep the colours they are stored in; else all channels hold the
            grey image.
    """

    size: int
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    colour: bool = False

    @property
    def channels(self) -> int:
        """Number of channels; a grey image is repeated."""
        return len(self.mean)

    def plain(self) -> dict[str, Any]:
        """The options as plain values, ready for JSON; grey images have no key `colour`."""
        return {key: value for key, value in asdict(self).items() if key != "colour" or value}


@runtime_checkable
class ImageEncoder(Protocol):
    """A torch module that turns images into tokens; built as `Part(options)`."""

    Options: Any
    preprocessing: Preprocessing
    width: int

    def __call__(self, pixels: Tensor) -> Tensor:
        """Encode `pixels` `[B, c, H, W]` (normalised) into tokens `[B, S, D]`, row by row."""

    def weights_hash(self) -> str:
        """SHA-256 that names the weights, part of the feature cache's key."""

    def trainable(self, last: int) -> tuple[str, ...]:
        """Let only the last stages train (0 = none, negative = all); prefixes of what trains."""


@runtime_checkable
class FittedEncoder(Protocol):
    """An image encoder that is fitted on training images, without labels, in place of weights."""

    images: int
    """Largest number of images for the fit."""

    def fit(self, pixels: Tensor) -> None:
        """Fit on normalised training images `[n, c, H, W]`."""

    def state_dict(self) -> dict[str, Tensor]:
        """What was fitted."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what was fitted before."""


IMAGE_ENCODERS: Catalog[Any] = Catalog(
    "encoders.image", "image encoder", ("Options", "forward", "weights_hash", "trainable")
)
