"""Shared by encoders with a vocabulary of their own: words and word vectors."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from encoders.study import Passage
from encoders.text import TEXT_SECTIONS, Vocabulary
from encoders.text._tokens import Piece, Token, Tokenized, located, tokenized
from kg.bounds import Count, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

MARKS = ".,;:?!。，；：？！、"
"""Marks that end clauses; each is a word."""
WORD = re.compile(rf"<mask>|[a-z]+(?:'[a-z]+)?|[0-9]+|[\u3400-\u9fff]|[{MARKS}]")
SPECIAL = ("<padding>", "<unknown>", "<mask>")
PADDING, UNKNOWN, MASK = range(len(SPECIAL))
ENDS = ("<start>", "<end>")
"""Words of start and end, in vocabularies for writing only."""

TOGETHER = 8
"""Number of texts of similar length encoded at once."""


class WordOptions(BaseOptions):
    """Options of every encoder with a vocabulary of its own.

    Args:
        width: Width of a token.
        max_length: Largest number of words of a study; later ones are left out.
        at_least: Least number of occurrences of a word in the training texts.
        vocabulary: Largest number of words kept.
    """

    width: Width = 128
    max_length: Width = 192
    at_least: Count = 2
    vocabulary: Count = 20_000


class WordEncoder(nn.Module):
    """Words of the training texts and their vectors.

    Words are lower-cased English words and numbers that occur often enough, single Chinese
    characters, and the marks that end clauses.
    """

    frozen = False
    special: tuple[str, ...] = SPECIAL
    """Words every vocabulary begins with; 0 is padding."""

    def __init__(self, options: WordOptions) -> None:
        super().__init__()
        self.limits = options
        self.width = options.width
        self.parts = nn.Embedding(len(TEXT_SECTIONS), options.width, padding_idx=0)
        self._use(())

    def _use(self, words: Sequence[str]) -> None:
        """Set the vocabulary, with new vectors."""
        self.index = {word: place for place, word in enumerate((*self.special, *words))}
        self.words = nn.Embedding(len(self.index), self.width, padding_idx=0)

    def mark_ends(self) -> None:
        """Add marks of a text's start and end to the vocabulary, before it is learnt."""
        self.special = (*self.special, *ENDS)
        self._use(())

    @property
    def _marks_ends(self) -> bool:
        """True if start and end of a text are words."""
        return self.special[-len(ENDS) :] == ENDS

    def vocabulary(self) -> Vocabulary:
        """The vocabulary.

        Raises:
            ValueError: If the marks of start and end are not among them.
        """
        if not self._marks_ends:
            raise ValueError("this vocabulary has no marks of start and end: call mark_ends first")
        start, end = (self.index[mark] for mark in ENDS)
        silent = {PADDING, MASK, start, end}
        words = list(self.index)

        def decode(ids: Sequence[int]) -> str:
            return joined([words[number] for number in ids if number not in silent])

        return Vocabulary(len(words), PADDING, UNKNOWN, MASK, start, end, decode)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn the vocabulary from the training texts, with new vectors."""
        counts = Counter(
            word for passages in texts for passage in passages for word in words_of(passage.text)
        )
        for word in self.special:
            counts.pop(word, None)
        often = [word for word, count in counts.items() if count >= self.limits.at_least]
        often.sort(key=lambda word: (-counts[word], word))
        self._use(often[: self.limits.vocabulary])

    def state(self) -> dict[str, Any]:
        """The vocabulary, ready for JSON; the weights are the module's own state."""
        words = list(self.index)[len(self.special) :]
        return {"words": words, "ends": True} if self._marks_ends else {"words": words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state` gave, before the weights are loaded.

        Raises:
            InputError: If there is no vocabulary in it, or one without the required marks of start
                and end.
        """
        words = state.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError(
                "the state of the text encoder holds no vocabulary",
                "it must be what a run with the same text encoder wrote",
            )
        if self._marks_ends and not state.get("ends"):
            raise InputError(
                "the vocabulary of the text encoder has no marks of a text's start and end",
                "take it from a run whose system writes, or learn a new one",
            )
        if state.get("ends") and not self._marks_ends:
            self.mark_ends()
        self._use(words)

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Words of each text, with their positions; no text gives no word."""
        return tokenized([self.row(passages) for passages in texts])

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]`, mask `[B, T]` (True = word), section `[B, T]`; no text gives no word."""
        return self.tokenized(texts).inputs

    def row(self, passages: Sequence[Passage]) -> list[Token]:
        """The words of one study."""
        return located(passages, self.pieces)[: self.limits.max_length]

    def pieces(self, passage: Passage) -> Iterator[Piece]:
        """The words of one passage."""
        for number, match in enumerate(WORD.finditer(passage.text.lower())):
            yield Piece(self.index.get(match[0], UNKNOWN), number, *match.span())

    def weights_hash(self) -> str:
        """SHA-256 of the vocabulary."""
        return hashlib.sha256(json.dumps(self.state(), sort_keys=True).encode()).hexdigest()


def words_of(text: str) -> list[str]:
    """English words in lower case, numbers, single Chinese characters, and marks of clauses."""
    return WORD.findall(text.lower())


def joined(words: Sequence[str]) -> str:
    """A text of these words: blanks between English words, none before marks or in Chinese."""
    text = ""
    for word in words:
        close = word in MARKS or (is_chinese(word) and is_chinese(text[-1:]))
        text += word if close or not text else f" {word}"
    return text


def is_chinese(letters: str) -> bool:
    """True if text is Chinese, marks of clauses included."""
    return bool(letters) and all(
        "\u3000" <= letter <= "\u9fff" or letter > "\uff00" for letter in letters
    )


def of_like_length(mask: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Groups of rows of similar length in a mask `[B, T]`, with the length of each group.

    A batch is as wide as its longest text, and most of it is padding, which costs as much as
    words: texts encoded with those of similar length give the same tokens at less cost. Compiled,
    all are one group, as shapes must not depend on the values of a tensor.
    """
    if torch.compiler.is_compiling():
        yield torch.arange(mask.shape[0], device=mask.device), mask.shape[1]
        return
    reach = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(1)
    for rows in torch.split(reach.argsort(stable=True), TOGETHER):
        yield rows, max(int(reach[rows[-1]]), 1)


def ignored_padding(mask: Tensor) -> Tensor:
    """Keys attention must ignore, `[B, T]`: all but words, and but one padding of an empty row.

    A row without a word attends to its first padding, so that nothing becomes NaN.
    """
    first = torch.arange(mask.shape[1], device=mask.device) == 0
    return ~(mask | (first & ~mask.any(dim=1, keepdim=True)))


def attention_layer(width: int, heads: int, dropout: float) -> nn.TransformerEncoderLayer:
    """One pre-norm layer of attention over tokens."""
    return nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
    )
