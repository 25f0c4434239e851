"""HGT: attention in which each kind of relation has its own keys and values (Hu 2020).

Reference: Hu: Heterogeneous Graph Transformer, 2020. One type of concept, relation kinds as edge
types. Differs: attention is proportional to the edge's weight, which torch-geometric's `HGTConv`
cannot do; with all weights 1 the layer equals it. A residual and a normalisation follow each
layer. Memory grows with concepts times relation kinds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch_geometric.utils import softmax

from encoders.graph._residual import ResidualGraph, sum_at
from encoders.heads import check_heads
from kg.bounds import Few, ShareBelow1
from kg.options import Options as BaseOptions

__all__ = ["HGT"]


class HGT(ResidualGraph):
    """Heterogeneous graph transformer."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            layers: Number of layers.
            heads: Attention heads of a layer.
            dropout: Share of the messages' numbers dropped in training.
        """

        layers: Few = 1
        heads: Few = 4
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        check_heads("hgt", width, options.heads)
        layers = [_Layer(width, relations, options.heads) for _ in range(options.layers)]
        super().__init__(layers, width=width, dropout=options.dropout)


class _Layer(nn.Module):
    def __init__(self, width: int, relations: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = width // heads
        self.keys_queries_values = nn.Linear(width, 3 * width)
        self.key_relation = nn.Parameter(torch.empty(relations, heads, inner, inner))
        self.value_relation = nn.Parameter(torch.empty(relations, heads, inner, inner))
        self.prior = nn.Parameter(torch.ones(relations, heads))
        self.out = nn.Linear(width, width)
        self.skip = nn.Parameter(torch.ones(1))
        for parameter in (self.key_relation, self.value_relation):
            nn.init.uniform_(parameter, -math.sqrt(3 / inner), math.sqrt(3 / inner))

    def forward(
        self, nodes: Tensor, edges: Tensor, kinds: Tensor, weights: Tensor, count: int
    ) -> Tensor:
        """Messages `[n, D]`."""
        subjects, objects = edges
        width = nodes.shape[1]
        keys, queries, values = (
            values.view(len(nodes), self.heads, -1)
            for values in self.keys_queries_values(nodes).chunk(3, dim=1)
        )
        keys = torch.einsum("nhd,rhde->rnhe", keys, self.key_relation)[kinds, subjects]
        values = torch.einsum("nhd,rhde->rnhe", values, self.value_relation)[kinds, subjects]
        scores: Tensor = (queries[objects] * keys).sum(2) * self.prior[kinds]
        scores = scores / math.sqrt(width // self.heads) + weights.log().unsqueeze(1)
        attention = softmax(scores, objects, num_nodes=count)
        messages = sum_at(values * attention.unsqueeze(2), objects, count).flatten(1)
        kept: Tensor = self.skip.sigmoid()
        projected: Tensor = self.out(gelu(messages))
        return kept * projected + (1 - kept) * nodes[:count]
