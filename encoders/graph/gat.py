"""GAT: attention to neighbours with relation and weight as edge features (Brody 2022).

References: Velickovic: Graph Attention Networks, 2018; Brody: How Attentive are Graph Attention
Networks?, 2022 (GATv2, the form used). Layers from torch-geometric; the relation's vector and the
edge's weight are the edge's features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv

from encoders.graph._residual import ResidualGraph
from encoders.heads import check_heads
from kg.bounds import Few, ShareBelow1
from kg.options import Options as BaseOptions

__all__ = ["GAT"]


class GAT(ResidualGraph):
    """Graph attention with relations as edge features."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            layers: Number of layers.
            heads: Attention heads of a layer.
            dropout: Share of the messages' numbers dropped in training.
        """

        layers: Few = 2
        heads: Few = 4
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        check_heads("gat", width, options.heads)
        layers = [_Layer(width, relations, options.heads) for _ in range(options.layers)]
        super().__init__(layers, width=width, dropout=options.dropout)


class _Layer(nn.Module):
    def __init__(self, width: int, relations: int, heads: int) -> None:
        super().__init__()
        self.relations = nn.Parameter(0.1 * torch.randn(relations, width))
        self.strength = nn.Parameter(torch.randn(width))
        # a concept reaches itself by the residual, so it is no neighbour of its own
        self.attention = GATv2Conv(
            width, width // heads, heads=heads, edge_dim=width, add_self_loops=False
        )

    def forward(
        self, nodes: Tensor, edges: Tensor, kinds: Tensor, weights: Tensor, count: int
    ) -> Tensor:
        """Messages `[n, D]`."""
        features = self.relations[kinds] + weights.unsqueeze(1) * self.strength
        messages: Tensor = self.attention((nodes, nodes[:count]), edges, features)
        return messages
