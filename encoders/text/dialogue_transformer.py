"""Dialogue transformer: words with speaker and turn, read in windows, for dialogues of any length.

Attention goes over windows of words, so that time and memory grow with the length of the text and
not with its square (Beltagy: Longformer, 2020, in its simplest form); windows of every other layer
are shifted by half, and one layer over the windows' means passes context between all of them.
Each turn opens with a mark, which gives the number of the turn and the position of a word in it. Of
a text beyond the limit the middle is left out: beginning and end stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.study import Passage
from encoders.text._tokens import Piece, Token, located
from encoders.text._words import (
    SPECIAL,
    WordEncoder,
    WordOptions,
    attention_layer,
    ignored_padding,
)
from encoders.text.tiny_transformer import sinusoids
from kg.bounds import Few, Share, ShareBelow1, Width
from kg.errors import InputError

__all__ = ["DialogueTransformer"]

TURN = len(SPECIAL)


class DialogueTransformer(WordEncoder):
    """Attention within windows of a dialogue and across them, with speaker and turn."""

    special: tuple[str, ...] = (*SPECIAL, "<turn>")

    class Options(WordOptions):
        """Options of the encoder.

        Args:
            max_length: Largest number of words of a study, marks of turns included.
            layers: Number of layers within windows.
            heads: Attention heads of a layer.
            window: Words of a window.
            turns: Number of distinct turns; later ones count as the last.
            opening: Share of a text beyond the limit that is kept from its beginning; the rest is
                kept from its end.
            dropout: Share of activations dropped in training.
        """

        max_length: Width = 1024
        layers: Few = 2
        heads: Few = 4
        window: Width = 64
        turns: Width = 32
        opening: Share = 0.5
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options) -> None:
        if options.width % (2 * options.heads) or options.window % 2:
            raise InputError(
                f"dialogue_transformer: width {options.width}, {options.heads} heads, window "
                f"{options.window} do not fit",
                "make width a multiple of twice the heads, and window even",
            )
        super().__init__(options)
        self.options = options
        width = options.width
        self.turns = nn.Embedding(options.turns + 1, width)
        self.places: Tensor
        self.register_buffer("places", sinusoids(options.max_length, width), persistent=False)
        self.drop = nn.Dropout(options.dropout)
        self.layers = nn.ModuleList(
            attention_layer(width, options.heads, options.dropout) for _ in range(options.layers)
        )
        self.across = attention_layer(width, options.heads, options.dropout)
        self.norm = nn.LayerNorm(width)

    def row(self, passages: Sequence[Passage]) -> list[Token]:
        """The words of one study; of a text beyond the limit its beginning and its end."""
        row = located(passages, self.pieces)
        return _ends(row, self.options.max_length, self.options.opening)

    def pieces(self, passage: Passage) -> Iterator[Piece]:
        """The words of one turn, a mark before them."""
        for piece in super().pieces(passage):
            if piece.word == 0:
                yield Piece(TURN, 0, piece.start, piece.start)
            yield piece._replace(word=piece.word + 1)

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        tokens = self.words(words) + self.parts(section) + self._positions(words)
        tokens = self.drop(tokens)
        shift = self.options.window // 2
        for number, layer in enumerate(self.layers):
            tokens = self._within(layer, tokens, mask, shift * (number % 2))
        tokens = tokens + self._context(tokens, mask)
        return torch.where(mask.unsqueeze(-1), self.norm(tokens), 0.0)

    def _positions(self, words: Tensor) -> Tensor:
        """Vector of each word's turn and of its position in the turn, `[B, T, D]`."""
        opens = words == TURN
        number = opens.cumsum(1).clamp(max=self.options.turns)
        place = torch.arange(words.shape[1], device=words.device).expand_as(words)
        began = torch.where(opens, place, 0).cummax(1).values
        where: Tensor = self.turns(number) + self.places[place - began]
        return where

    def _windows(self, rows: Tensor) -> Tensor:
        """Rows `[B, T, ...]` of whole windows, cut into them, `[B, T / window, window, ...]`."""
        return rows.view(rows.shape[0], -1, self.options.window, *rows.shape[2:])

    def _within(self, layer: nn.Module, tokens: Tensor, mask: Tensor, shift: int) -> Tensor:
        """One layer within windows, the first of which begins `shift` words before the text."""
        length, window = tokens.shape[1], self.options.window
        after = -(length + shift) % window
        windows = self._windows(F.pad(tokens, (0, 0, shift, after)))
        there = self._windows(F.pad(mask, (shift, after)))
        read = layer(
            windows.flatten(0, 1), src_key_padding_mask=ignored_padding(there.flatten(0, 1))
        )
        made: Tensor = read.view_as(windows).flatten(1, 2)[:, shift : shift + length]
        return made

    def _context(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Context from the other windows, the same for each word of a window, `[B, T, D]`."""
        length, window = tokens.shape[1], self.options.window
        after = -length % window
        windows = self._windows(F.pad(tokens * mask.unsqueeze(-1), (0, 0, 0, after)))
        counts = self._windows(F.pad(mask, (0, after))).sum(2)
        means = windows.sum(2) / counts.clamp(min=1).unsqueeze(-1)
        summaries = self.across(means, src_key_padding_mask=ignored_padding(counts > 0))
        context: Tensor = summaries.repeat_interleave(window, dim=1)[:, :length]
        return context


def _ends(row: list[Token], limit: int, opening: float) -> list[Token]:
    """A row within the limit: its beginning and its end."""
    if len(row) <= limit:
        return row
    first = round(limit * opening)
    return row[:first] + row[len(row) - (limit - first) :]
