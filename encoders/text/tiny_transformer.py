"""Tiny transformer: reads English by word and Chinese by character, trained with the system.

The vocabulary is learnt from the training texts alone: lower-cased English words and numbers that
occur often enough, single Chinese characters, and the marks that end clauses.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor, nn

from encoders.study import Passage
from encoders.text import PARTS
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["TinyTransformer"]

WORD = re.compile(r"<mask>|[a-z]+(?:'[a-z]+)?|[0-9]+|[\u3400-\u9fff]|[.,;:?!。，；：？！、]")
SPECIAL = ("<padding>", "<unknown>", "<mask>")
UNKNOWN = SPECIAL.index("<unknown>")


class TinyTransformer(nn.Module):
    """A small transformer over words, their place, and the section or speaker they belong to."""

    frozen = False

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            width: Width of a token.
            layers: Number of attention layers.
            heads: Attention heads of a layer.
            max_length: Most words of a study; what comes after is left out.
            at_least: Fewest occurrences of a word in the training texts.
            vocabulary: Most words kept.
            positions: How the place of a word is told.
            dropout: Share of activations dropped in training.
        """

        width: int = 128
        layers: int = 1
        heads: int = 4
        max_length: int = 192
        at_least: int = 2
        vocabulary: int = 20_000
        positions: Literal["sinusoidal", "learned"] = "sinusoidal"
        dropout: float = 0.1

    def __init__(self, options: Options) -> None:
        super().__init__()
        if options.width % (2 * options.heads):
            raise InputError(
                f"tiny_transformer: width {options.width} does not fit {options.heads} heads",
                "make width a multiple of twice the heads",
            )
        self.options = options
        self.width = options.width
        self.parts = nn.Embedding(len(PARTS), options.width, padding_idx=0)
        self.places: Tensor
        if options.positions == "learned":
            self.places = nn.Parameter(0.02 * torch.randn(options.max_length, options.width))
        else:
            waves = sinusoids(options.max_length, options.width)
            self.register_buffer("places", waves, persistent=False)
        self.drop = nn.Dropout(options.dropout)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                options.width,
                options.heads,
                4 * options.width,
                options.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)
        self._use(())

    def _use(self, words: Sequence[str]) -> None:
        """Take words into the vocabulary, with new vectors."""
        self.index = {word: place for place, word in enumerate((*SPECIAL, *words))}
        self.words = nn.Embedding(len(self.index), self.width, padding_idx=0)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn the vocabulary from the training texts; vectors are new afterwards."""
        counts = Counter(
            word for passages in texts for passage in passages for word in words_of(passage.text)
        )
        for word in SPECIAL:
            counts.pop(word, None)
        often = [word for word, count in counts.items() if count >= self.options.at_least]
        often.sort(key=lambda word: (-counts[word], word))
        self._use(often[: self.options.vocabulary])

    def state(self) -> dict[str, Any]:
        """The vocabulary, ready for JSON; the weights are the module's own state."""
        return {"words": list(self.index)[len(SPECIAL) :]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, before the weights are loaded.

        Raises:
            InputError: If there is no vocabulary in it.
        """
        words = state.get("words")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError(
                "the state of the text encoder holds no vocabulary",
                "it must be what a run of tiny_transformer wrote",
            )
        self._use(words)

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]`, mask `[B, T]` (True = word), part `[B, T]`; no text gives no word."""
        rows = [self._row(passages) for passages in texts]
        longest = max((len(row) for row in rows), default=0)
        both = torch.zeros(len(rows), max(longest, 1), 2, dtype=torch.int64)
        for place, row in enumerate(rows):
            both[place, : len(row)] = torch.tensor(row, dtype=torch.int64).view(-1, 2)
        words, part = both.unbind(-1)
        return words, part > 0, part

    def _row(self, passages: Sequence[Passage]) -> list[tuple[int, int]]:
        """Word id and part of each word of one study."""
        row = (
            (self.index.get(word, UNKNOWN), PARTS.index(passage.name))
            for passage in passages
            for word in words_of(passage.text)
        )
        return list(islice(row, self.options.max_length))

    def forward(self, words: Tensor, mask: Tensor, part: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        tokens = self.words(words) + self.parts(part) + self.places[: words.shape[1]]
        tokens = self.drop(tokens)
        # a row without a word attends to its first padding, so that nothing becomes NaN
        first = torch.arange(mask.shape[1], device=mask.device) == 0
        ignored = ~(mask | (first & ~mask.any(dim=1, keepdim=True)))
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=ignored)
        return torch.where(mask.unsqueeze(-1), self.norm(tokens), 0.0)

    def weights_hash(self) -> str:
        """SHA-256 of the vocabulary."""
        return hashlib.sha256(json.dumps(self.state(), sort_keys=True).encode()).hexdigest()


def words_of(text: str) -> list[str]:
    """English words in lower case, numbers, single Chinese characters, and marks of clauses."""
    return WORD.findall(text.lower())


def sinusoids(length: int, width: int) -> Tensor:
    """Sines and cosines that tell the place of a word, `[length, width]` (Vaswani 2017)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
