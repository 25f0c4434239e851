"""Text decoder: a transformer that writes a text over tokens of images (Vaswani 2017)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor, nn

from encoders.heads import check_heads
from encoders.text import Vocabulary
from fusion.layers.generation import Generated, State, generate
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy

__all__ = ["TextDecoder", "WordDecoder", "later_words", "written_words"]


class WordDecoder(nn.Module, ABC):
    """A decoder with learned positions; each word is written over all words before it.

    Args:
        vocabulary: Words that are written, `W` of them.
        width: Width of a word.
        limit: Largest number of words of a text.
    """

    def __init__(self, vocabulary: Vocabulary, width: int, limit: int) -> None:
        super().__init__()
        self.vocabulary, self.limit = vocabulary, limit
        self.embed = nn.Embedding(vocabulary.size, width, padding_idx=vocabulary.padding)
        self.place = nn.Parameter(torch.randn(limit + 1, width) * 0.02)

    @abstractmethod
    def forward(self, tokens: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Logits of the word after each given one, `[B, T, W]`.

        Args:
            tokens: What is written about, `[B, ..., D]`.
            mask: True where there is an image token, `[B, S]`.
            words: The word before the first one, then the text, `[B, T]`.
        """

    def loss(self, tokens: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Mean cross-entropy of the words of reports, the mark of their end included.

        Args:
            tokens: What is written about, `[B, ..., D]`.
            mask: True where there is an image token, `[B, S]`; studies without any do not count.
            words: Words between the marks of start and end, `[B, T]`, as of `Vocabulary.framed`;
                texts without a word do not count.
        """
        words = words[:, : self.limit + 2]
        real = written_words(words, self.vocabulary.end) & mask.any(1, keepdim=True)
        return sequence_cross_entropy(self(tokens, mask, words[:, :-1]), words[:, 1:], real)

    def write(self, tokens: Tensor, mask: Tensor, beams: int = 1) -> list[str]:
        """A text about each image; empty where there is none."""
        written = self.written(tokens, mask, beams)
        texts = zip(written.words, written.mask, strict=True)
        return [self.vocabulary.decode(words[real].tolist()) for words, real in texts]

    @torch.no_grad()
    def written(self, tokens: Tensor, mask: Tensor, beams: int = 1) -> Generated:
        """Words about each image; none where there is no image."""
        book = self.vocabulary
        made = generate(
            self._step,
            self._start(tokens, mask),
            ends=(book.start, book.end),
            limit=self.limit,
            beams=beams,
            never=(book.padding, book.unknown, book.mask, book.start),
        )
        return replace(made, mask=made.mask & mask.any(1, keepdim=True))

    def _start(self, tokens: Tensor, mask: Tensor) -> State:
        """State before the first word."""
        return torch.zeros(len(tokens), 0, dtype=torch.long, device=tokens.device), tokens, mask

    def _step(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits `[B, W]` of the words after the last ones; the state keeps all words."""
        before, tokens, mask = state
        words = torch.cat([before, last[:, None]], 1)
        return self(tokens, mask, words)[:, -1], (words, tokens, mask)


class TextDecoder(WordDecoder):
    """Transformer decoder over image tokens.

    Args:
        vocabulary: Words that are written, `W` of them.
        memory: Width of an image token, `D`.
        width: Width of a word in the decoder.
        layers: Number of layers.
        heads: Attention heads of a layer.
        limit: Largest number of words of a text.
        dropout: Dropout in the layers.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        memory: int,
        *,
        width: int,
        layers: int,
        heads: int,
        limit: int,
        dropout: float = 0.0,
    ) -> None:
        check_heads("text_decoder", width, heads)
        super().__init__(vocabulary, width, limit)
        self.project = nn.Linear(memory, width)
        layer = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.layers = nn.TransformerDecoder(layer, layers)
        self.output = nn.Linear(width, vocabulary.size)

    def forward(self, tokens: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Logits of the word after each given one, `[B, T, W]`.

        Args:
            tokens: Image tokens, `[B, S, D]`.
            mask: True where there is one, `[B, S]`; a row without any reads the first as it is.
            words: The word before the first one, then the text, `[B, T]`.
        """
        length = words.shape[1]
        # attention to nothing is not defined
        open_mask = mask | (~mask.any(1, keepdim=True) & _first(mask))
        states = self.layers(
            self.embed(words) + self.place[:length],
            self.project(tokens),
            tgt_mask=later_words(words),
            memory_key_padding_mask=~open_mask,
        )
        logits: Tensor = self.output(states)
        return logits


def later_words(words: Tensor) -> Tensor:
    """True where a word of `[B, T]` would attend to a later one, `[T, T]`."""
    length = words.shape[1]
    return torch.ones(length, length, dtype=torch.bool, device=words.device).triu(1)


def written_words(words: Tensor, end: int) -> Tensor:
    """Mask of the words to write after each, `[B, T - 1]`: up to the first mark of the end.

    Nothing is to be written of a text without a word.

    Args:
        words: Words from mark to mark, `[B, T]`.
        end: The mark of the end.
    """
    ended = words[:, 1:] == end
    return ((ended.cumsum(1) - ended.long()) == 0) & ~ended[:, :1]


def _first(mask: Tensor) -> Tensor:
    """True at the first place of each row, `[B, S]`."""
    return torch.arange(mask.shape[1], device=mask.device).expand_as(mask) == 0
