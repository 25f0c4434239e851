"""Catalog of text encoders: passages in, a sequence of tokens out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from encoders.batch import Text
from encoders.study import DESCRIBING, SECTIONS, SPEAKERS, Passage
from kg.catalog import Catalog

if TYPE_CHECKING:
    from encoders.text._tokens import Tokenized

__all__ = ["PARTS", "TEXT_ENCODERS", "TextEncoder", "Vocabulary"]

PARTS: tuple[str, ...] = ("padding", *SECTIONS, *SPEAKERS)
"""What the index of a word's section or speaker means; 0 is padding."""


@dataclass(frozen=True)
class Vocabulary:
    """The words of a text encoder by number, for systems that write.

    Args:
        size: How many there are.
        padding: Number of padding.
        unknown: Number of a word that is not in it.
        mask: Number of the word that stands for a hidden one.
        start: Number that opens a text.
        end: Number that closes one.
        decode: Text of the words with these numbers; padding, mask, start and end are left out.
    """

    size: int
    padding: int
    unknown: int
    mask: int
    start: int
    end: int
    decode: Callable[[Sequence[int]], str]

    def framed(self, text: Text, sections: Sequence[str] = DESCRIBING) -> Tensor:
        """Words of these sections between the marks of start and end, `[B, T + 2]`, then padding.

        Args:
            text: Texts with word ids.
            sections: Names of sections; of a text the words of others are left out.
        """
        if text.words is None or text.word is None:
            raise ValueError("the text has no word ids")
        wanted = torch.tensor([PARTS.index(name) for name in sections], device=text.part.device)
        kept = text.mask & (text.word >= 0) & torch.isin(text.part, wanted)
        order = (~kept).long().argsort(dim=1, stable=True)
        ids = torch.where(kept, text.words, self.padding).gather(1, order)
        made = torch.nn.functional.pad(ids, (1, 1), value=self.padding)
        made[:, 0] = self.start
        return made.scatter(1, kept.sum(1, keepdim=True) + 1, self.end)


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

    def mark_ends(self) -> None:
        """Take marks of a text's start and end into the vocabulary; called before `fit`."""

    def vocabulary(self) -> Vocabulary:
        """The words by number; start and end must have been marked."""

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Tokens of each text, and where they stand in it."""

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
    (
        *("Options", "fit", "tokenize", "tokenized", "forward"),
        *("mark_ends", "vocabulary", "state", "restore", "weights_hash"),
    ),
)
