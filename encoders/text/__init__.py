"""Catalog of text encoders: passages in, a sequence of tokens out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from encoders.study import SECTIONS, SPEAKERS, Passage
from kg.catalog import Catalog

__all__ = ["PARTS", "TEXT_ENCODERS", "TextEncoder"]

PARTS: tuple[str, ...] = ("padding", *SECTIONS, *SPEAKERS)
"""What the index of a word's section or speaker means; 0 is padding."""


@runtime_checkable
class TextEncoder(Protocol):
    """A torch module that reads passages; built as `Part(options)`, then `fit`, then used.

    `frozen` encoders write their tokens to the feature cache once; others train with the system.
    """

    Options: Any
    width: int
    frozen: bool

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn from the training texts alone what must be learnt (a vocabulary), if anything."""

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]` (int64), mask `[B, T]` (True = word), part `[B, T]` (index in `PARTS`)."""

    def __call__(self, words: Tensor, mask: Tensor, part: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`."""

    def state(self) -> dict[str, Any]:
        """What `fit` learnt, ready for JSON; frozen encoders learnt nothing."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, before the weights are loaded."""

    def weights_hash(self) -> str:
        """SHA-256 that names the weights (or the vocabulary of a trainable encoder)."""


TEXT_ENCODERS: Catalog[Any] = Catalog(
    "encoders.text",
    "text encoder",
    ("Options", "fit", "tokenize", "forward", "state", "restore", "weights_hash"),
)
