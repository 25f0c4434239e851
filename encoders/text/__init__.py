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

__all__ = ["TEXT_SECTIONS", "TEXT_ENCODERS", "TextEncoder", "Vocabulary"]

TEXT_SECTIONS: tuple[str, ...] = ("padding", *SECTIONS, *SPEAKERS)
"""Names of the index of a word's section or speaker; 0 is padding."""


@dataclass(frozen=True)
class Vocabulary:
    """The vocabulary of a text encoder, for systems that write text.

    Args:
        size: Number of words.
        padding: Id of padding.
        unknown: Id of a word that is not in it.
        mask: Id that stands for a hidden word.
        start: Id of the start of a text.
        end: Id of the end of a text.
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
            sections: Names of sections; words of others are left out.
        """
        if text.words is None or text.word is None:
            raise ValueError("the text has no word ids")
        chosen = torch.tensor(
            [TEXT_SECTIONS.index(name) for name in sections], device=text.section.device
        )
        kept = text.mask & (text.word >= 0) & torch.isin(text.section, chosen)
        order = (~kept).long().argsort(dim=1, stable=True)
        ids = torch.where(kept, text.words, self.padding).gather(1, order)
        made = torch.nn.functional.pad(ids, (1, 1), value=self.padding)
        made[:, 0] = self.start
        return made.scatter(1, kept.sum(1, keepdim=True) + 1, self.end)


@runtime_checkable
class TextEncoder(Protocol):
    """A torch module that encodes passages; built as `Part(options)`, then `fit`, then used.

    `frozen` encoders write their tokens to the feature cache once; others train with the system.
    """

    Options: Any
    width: int
    frozen: bool

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn the vocabulary, if any, from the training texts alone."""

    def mark_ends(self) -> None:
        """Add marks of a text's start and end to the vocabulary; called before `fit`."""

    def vocabulary(self) -> Vocabulary:
        """The vocabulary; start and end must have been marked."""

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Tokens of each text, with their positions."""

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]` (int64), mask `[B, T]` (True = word), section `[B, T]` (index)."""

    def __call__(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`."""

    def state(self) -> dict[str, Any]:
        """State learnt by `fit`, ready for JSON; empty for frozen encoders."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state` gave, before the weights are loaded."""

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
