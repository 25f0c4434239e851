"""Query decoder: queries gather tokens layer by layer, each on its own, as in a DETR decoder."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from encoders.heads import check_heads
from encoders.text._words import ignored_padding

__all__ = ["QueryDecoder"]

CHUNK = 64
"""Queries that are decoded at once."""


class QueryLayer(nn.Module):
    """Pre-norm cross-attention of queries on tokens, then a feed-forward step."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, queries: Tensor, tokens: Tensor, ignored: Tensor) -> Tensor:
        """Queries `[B, C, D]` after the layer."""
        seen, _ = self.attend(
            self.before(queries), tokens, tokens, key_padding_mask=ignored, need_weights=False
        )
        queries = queries + self.drop(seen)
        updated: Tensor = queries + self.drop(self.feed(queries))
        return updated

    def weights(self, queries: Tensor, tokens: Tensor, ignored: Tensor) -> Tensor:
        """Share of each token in what a query attends to, mean over the heads, `[B, C, L]`."""
        shares: Tensor = self.attend(
            self.before(queries), tokens, tokens, key_padding_mask=ignored, need_weights=True
        )[1]
        return shares


class QueryDecoder(nn.Module):
    """Layers of cross-attention of queries on tokens (MedKLIP, KAD, CARZero).

    Queries never attend to each other, so what comes of one does not hang on which others are
    asked. A row without tokens attends to its first padding.

    Args:
        width: Width of queries and tokens.
        layers: Number of layers.
        heads: Attention heads of a layer.
        dropout: Share of activations dropped in training.
    """

    def __init__(self, width: int, layers: int = 4, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        check_heads("queries", width, heads)
        self.layers = nn.ModuleList(QueryLayer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Decode queries `[C, D]`, or `[B, C, D]` of their own for each row, to `[B, C, D]`.

        Args:
            queries: The queries.
            tokens: `[B, L, D]`.
            mask: True where there is a token, `[B, L]`.
        """
        queries, ignored = queries.expand(len(tokens), -1, -1), ignored_padding(mask)
        decoded = []
        for chunk in torch.split(queries, CHUNK, dim=1):
            for layer in self.layers:
                chunk = layer(chunk, tokens, ignored)
            decoded.append(self.norm(chunk))
        return torch.cat(decoded, 1)

    def attention(self, queries: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Attention of queries `[C, D]` on tokens in the last layer, `[B, C, L]`."""
        queries, ignored = queries.expand(len(tokens), -1, -1), ignored_padding(mask)
        for layer in self.layers[:-1]:
            queries = layer(queries, tokens, ignored)
        last = cast(QueryLayer, self.layers[-1])
        return last.weights(queries, tokens, ignored) * mask[:, None]
