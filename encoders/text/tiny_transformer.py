"""Tiny transformer: reads English by word and Chinese by character, trained with the system.

The vocabulary is learnt from the training texts alone: lower-cased English words and numbers that
occur often enough, single Chinese characters, and the marks that end clauses.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from encoders.text._words import (
    WordEncoder,
    WordOptions,
    attention_layer,
    ignored_padding,
    of_like_length,
)
from kg.bounds import Few, ShareBelow1
from kg.errors import InputError

__all__ = ["TinyTransformer"]


class TinyTransformer(WordEncoder):
    """A small transformer over words with their position and section or speaker."""

    class Options(WordOptions):
        """Options of the encoder.

        Args:
            layers: Number of attention layers.
            heads: Attention heads of a layer.
            positions: Encoding of the position of a word.
            dropout: Share of activations dropped in training.
        """

        layers: Few = 1
        heads: Few = 4
        positions: Literal["sinusoidal", "learned"] = "sinusoidal"
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options) -> None:
        if options.width % (2 * options.heads):
            raise InputError(
                f"tiny_transformer: width {options.width} does not fit {options.heads} heads",
                "make width a multiple of twice the heads",
            )
        super().__init__(options)
        self.options = options
        self.places: Tensor
        if options.positions == "learned":
            self.places = nn.Parameter(0.02 * torch.randn(options.max_length, options.width))
        else:
            waves = sinusoids(options.max_length, options.width)
            self.register_buffer("places", waves, persistent=False)
        self.drop = nn.Dropout(options.dropout)
        self.layers = nn.ModuleList(
            attention_layer(options.width, options.heads, options.dropout)
            for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        tokens = self.words(words) + self.parts(section) + self.places[: words.shape[1]]
        tokens = self.drop(tokens)
        made = torch.zeros_like(tokens)
        for rows, length in of_like_length(mask):
            read = self._attend(tokens[rows, :length], mask[rows, :length])
            # in mixed precision layers give what they compute in
            made[rows, :length] = read.to(made.dtype)
        return made

    def _attend(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens `[B, T, D]` through the layers; zeros where there is no word."""
        ignored = ignored_padding(mask)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=ignored)
        return torch.where(mask.unsqueeze(-1), self.norm(tokens), 0.0)


def sinusoids(length: int, width: int) -> Tensor:
    """Sines and cosines that encode the position of a word, `[length, width]` (Vaswani 2017)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
