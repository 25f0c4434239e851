"""Tokens of texts with their positions: section, sentence, word and characters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from encoders.study import Passage
from encoders.text import TEXT_SECTIONS
from kg.mentions.tokens import sentences

NOWHERE = -1
"""Sentence, word and place of padding, and of marks that belong to no passage."""


class Piece(NamedTuple):
    """A token of one passage.

    Args:
        id: Id in the vocabulary.
        word: Index of its word in the passage.
        start: First character in the passage's text.
        end: One past the last character.
    """

    id: int
    word: int
    start: int
    end: int


class Token(NamedTuple):
    """A token of the text of a study; sentences and words are counted through all passages."""

    id: int
    section: int
    sentence: int
    word: int
    passage: int
    start: int
    end: int


@dataclass(frozen=True)
class Tokenized:
    """Tokens of texts, as rows of one length.

    Args:
        words: Id of each token in the vocabulary, `[B, T]`.
        section: Index in `TEXT_SECTIONS` of its section or speaker, `[B, T]`; 0 = padding.
        sentence: Index of its sentence in the text, `[B, T]`; -1 = none.
        word: Index of its word in the text, `[B, T]`; -1 = none.
        place: Its passage, first character and one past the last, `[B, T, 3]`; -1 = none.
    """

    words: Tensor
    section: Tensor
    sentence: Tensor
    word: Tensor
    place: Tensor

    @property
    def mask(self) -> Tensor:
        """True where there is a token, `[B, T]`."""
        return self.section > 0

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Arguments of an encoder: words, mask, section."""
        return self.words, self.mask, self.section


def located(
    passages: Sequence[Passage], pieces_of: Callable[[Passage], Iterable[Piece]]
) -> list[Token]:
    """Tokens of one text.

    Args:
        passages: Its passages.
        pieces_of: Function that cuts a passage into pieces.
    """
    row: list[Token] = []
    sentence, word = 0, 0
    for place, passage in enumerate(passages):
        starts = [found[0].start for found in sentences(passage.text)]
        section, words = TEXT_SECTIONS.index(passage.name), 0
        for piece in pieces_of(passage):
            inside = max(bisect_right(starts, piece.start) - 1, 0)
            row.append(
                Token(
                    piece.id,
                    section,
                    sentence + inside,
                    word + piece.word,
                    place,
                    piece.start,
                    piece.end,
                )
            )
            words = piece.word + 1
        sentence, word = sentence + len(starts), word + words
    return row


def tokenized(rows: Sequence[Sequence[Token]], padding: int = 0) -> Tokenized:
    """Tokens as rows of one length, padded to the longest.

    Args:
        rows: Tokens of each text.
        padding: Number of padding in the vocabulary.
    """
    longest = max((len(row) for row in rows), default=0)
    filler = Token(padding, 0, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)
    made = np.tile(np.array(filler), (len(rows), max(longest, 1), 1))
    for place, row in enumerate(rows):
        numbers = np.fromiter(chain.from_iterable(row), np.int64, len(row) * len(filler))
        made[place, : len(row)] = numbers.reshape(-1, len(filler))
    *about, passage, start, end = torch.from_numpy(made).unbind(-1)
    words, section, sentence, word = (column.contiguous() for column in about)
    return Tokenized(words, section, sentence, word, torch.stack((passage, start, end), dim=2))
