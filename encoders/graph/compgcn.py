"""CompGCN: a message is its concept composed with the relation's own vector (Vashishth 2020).

Reference: Vashishth: Composition-based Multi-Relational Graph Convolutional Networks, 2020.
Differs: one matrix for all edges (an inverse relation has its own vector here, so direction needs
no second matrix), messages multiplied by the edge's weight, a residual and a normalisation after
each layer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from encoders.graph._residual import ResidualGraph, sum_at
from encoders.neighbours import Hops
from kg.bounds import Few, ShareBelow1
from kg.options import Options as BaseOptions

__all__ = ["CompGCN"]

Composition = Literal["mult", "sub"]


class CompGCN(ResidualGraph):
    """Composition-based convolutions; relation vectors pass from layer to layer."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            layers: Number of layers.
            composition: How concept and relation are composed: product or difference.
            dropout: Share of the messages' numbers dropped in training.
        """

        layers: Few = 2
        composition: Composition = "mult"
        dropout: ShareBelow1 = 0.1

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        layers = [_Layer(width, options.composition) for _ in range(options.layers)]
        super().__init__(layers, width=width, dropout=options.dropout)
        # the last row is the relation of a concept to itself; a product starts near "unchanged"
        start = 1.0 if options.composition == "mult" else 0.0
        self.relations = nn.Parameter(start + 0.1 * torch.randn(relations + 1, width))

    def forward(
        self,
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        weights: Tensor,
        hops: Hops | None = None,
    ) -> Tensor:
        """Embed concepts `[N, D]`; see `GraphEncoder`."""
        subjects, objects = edges
        size = sum_at(torch.ones_like(weights), objects, len(nodes))
        sent = sum_at(torch.ones_like(weights), subjects, len(nodes))
        share = weights * (size[objects] * sent[subjects]).rsqrt()
        layers: list[Callable[..., Tensor]] = []
        relations: Tensor = self.relations
        for layer in self.convolutions:
            layers.append(partial(layer, relations))
            relations = layer.onward(relations)  # type: ignore[operator]
        return self.through(layers, nodes, edges, kinds, share, hops)


class _Layer(nn.Module):
    def __init__(self, width: int, composition: Composition) -> None:
        super().__init__()
        self.composition = composition
        self.around = nn.Linear(width, width)
        self.itself = nn.Linear(width, width, bias=False)
        self.onward = nn.Linear(width, width, bias=False)

    def forward(
        self,
        relations: Tensor,
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        share: Tensor,
        count: int,
    ) -> Tensor:
        """Messages `[n, D]`, with relation vectors `[R + 1, D]`."""
        subjects, objects = edges
        # `index_select` hands its gradient back several times faster than indexing does
        ends, links = nodes.index_select(0, subjects), relations.index_select(0, kinds)
        composed = self._compose(ends, links) * share.unsqueeze(1)
        around = self.around(sum_at(composed, objects, count))
        itself = self.itself(self._compose(nodes[:count], relations[-1]))
        messages: Tensor = around + itself
        return messages

    def _compose(self, concepts: Tensor, relations: Tensor) -> Tensor:
        return concepts * relations if self.composition == "mult" else concepts - relations
