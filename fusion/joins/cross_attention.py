"""Cross-attention: finding queries attend to all tokens of all inputs in one softmax.

Reference: Carion: End-to-End Object Detection with Transformers, 2020 (decoder of learned queries,
as the query networks of chest X-ray classifiers use it). Differs: queries never attend to each
other, so a finding's logit does not depend on which others are requested; tokens carry a learned
mark of the input they are from.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from encoders.batch import Features
from encoders.heads import check_heads
from fusion.joins import INPUTS, Joined, Neighbourhood
from kg.bounds import Few, ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["CrossAttention"]


class CrossAttention(nn.Module):
    """Transformer decoder layers without self-attention over the concatenated inputs."""

    class Options(PartOptions):
        """Options of the join.

        Args:
            layers: Rounds of attention.
            heads: Attention heads; must divide the width.
            dropout: Dropout on messages and in the feed-forward step.
        """

        layers: Few = 2
        heads: Few = 4
        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int, kinds: int) -> None:
        super().__init__()
        check_heads("join.cross_attention", width, options.heads)
        self.mark = nn.Parameter(torch.randn(len(INPUTS), width) * 0.02)
        self.layers = nn.ModuleList(
            _Layer(width, options.heads, options.dropout) for _ in range(options.layers)
        )

    def forward(
        self,
        queries: Tensor,
        neighbourhood: Neighbourhood,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the inputs of each of `B` studies."""
        features = [studies[name] for name in INPUTS[1:]]
        count, findings = len(features[0].mask), len(queries)
        # each finding has a neighbourhood of its own, so finding and study together are the batch
        tokens = [neighbourhood.tokens.expand(count, -1, -1, -1)]
        tokens += [one.tokens[:, None].expand(-1, findings, -1, -1) for one in features]
        masks = [neighbourhood.mask.expand(count, -1, -1)]
        masks += [one.mask[:, None].expand(-1, findings, -1) for one in features]
        lengths = [mask.shape[-1] for mask in masks]
        marked = [one + mark for one, mark in zip(tokens, self.mark, strict=True)]
        keys, mask = torch.cat(marked, 2).flatten(0, 1), torch.cat(masks, 2).flatten(0, 1)
        state = queries.expand(count, -1, -1).flatten(0, 1)[:, None]
        weights = state.new_zeros(0)
        for layer in self.layers:
            state, weights = layer(state, keys, mask)
        on_each = torch.split(weights.view(count, findings, -1), lengths, -1)
        gates = torch.stack([one.sum(-1) for one in on_each], -1)
        attention = dict(zip(INPUTS, on_each, strict=True)) if with_attention else {}
        return Joined(state.view(count, findings, -1), gates, attention)


class _Layer(nn.Module):
    """Attention on all tokens, then a feed-forward step."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        # a key and value that are always present: a study may have no token at all
        self.nothing = nn.Parameter(torch.zeros(1, 1, width))
        self.attend = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, state: Tensor, keys: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """State `[b, 1, D]` after one round, and its attention on the tokens `[b, L]`."""
        keys = torch.cat([self.nothing.expand(len(keys), -1, -1), keys], 1)
        hidden = ~torch.cat([mask.new_ones(len(mask), 1), mask], 1)
        message, weights = self.attend(self.before(state), keys, keys, key_padding_mask=hidden)
        state = state + self.dropout(message)
        return state + self.feed(state), weights[:, 0, 1:]
