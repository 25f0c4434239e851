"""R-GCN: each kind of relation passes messages through its own mix of a few matrices.

Reference: Schlichtkrull: Modeling Relational Data with Graph Convolutional Networks, 2018 (basis
decomposition). Differs: a message is multiplied by its edge's weight, which torch-geometric's
`RGCNConv` cannot do; with all weights 1 the layer equals it. A residual and a normalisation follow
each layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.graph._residual import ResidualGraph, sum_at
from kg.bounds import Few, ShareBelow1
from kg.options import Options as BaseOptions

__all__ = ["RGCN"]


class RGCN(ResidualGraph):
    """Relational graph convolutions with basis decomposition."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            layers: Number of layers.
            bases: Matrices that the relation kinds share.
            dropout: Share of the messages' numbers dropped in training.
        """

        layers: Few = 2
        bases: Few = 4
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        layers = [_Layer(width, relations, options.bases) for _ in range(options.layers)]
        super().__init__(layers, width=width, dropout=options.dropout)


class _Layer(nn.Module):
    def __init__(self, width: int, relations: int, bases: int) -> None:
        super().__init__()
        self.relations = relations
        self.weight = nn.Parameter(torch.empty(bases, width, width))
        self.comp = nn.Parameter(torch.empty(relations, bases))
        self.root = nn.Parameter(torch.empty(width, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for parameter in (self.weight, self.comp, self.root):
            bound = (6 / (parameter.shape[-2] + parameter.shape[-1])) ** 0.5
            nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, nodes: Tensor, edges: Tensor, kinds: Tensor, weights: Tensor, count: int
    ) -> Tensor:
        """Messages `[n, D]`: for each relation kind the mean over its edges, weighted."""
        subjects, objects = edges
        group = objects * self.relations + kinds
        size = sum_at(torch.ones_like(weights), group, count * self.relations)
        shares = (weights / size[group]).unsqueeze(1) * self.comp[kinds]
        sent, messages = nodes.index_select(0, subjects), nodes[:count] @ self.root + self.bias
        # one basis after the other: all at once would write `bases` times the edges to memory
        for share, matrix in zip(shares.T.unsqueeze(2), self.weight, strict=True):
            messages = messages + sum_at(share * sent, objects, count) @ matrix
        return messages
