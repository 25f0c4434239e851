"""Shared by graph networks: layers with residuals, normalisation and dropout."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor, nn
from torch.nn.functional import gelu

from encoders.neighbours import Hops


class ResidualGraph(nn.Module):
    """Layers of messages over a graph, each one added to the concept's vector before.

    Args:
        convolutions: Layers called with nodes `[N, D]`, edges `[2, E]`, kinds `[E]`, weights `[E]`
            and a number of concepts `n`, that give the messages to the first `n`, `[n, D]`.
        width: Width of a concept vector.
        dropout: Share of the messages' numbers dropped in training.
    """

    inductive = True

    def __init__(self, convolutions: Iterable[nn.Module], *, width: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.LayerNorm(width)
        self.convolutions = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.convolutions)
        self.drop = nn.Dropout(dropout)

    def forward(
        self,
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        weights: Tensor,
        hops: Hops | None = None,
    ) -> Tensor:
        """Embed concepts `[N, D]`; see `GraphEncoder`."""
        return self.through(self.convolutions, nodes, edges, kinds, weights, hops)

    def through(
        self,
        convolutions: Iterable[Callable[..., Tensor]],
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        weights: Tensor,
        hops: Hops | None,
    ) -> Tensor:
        """Concepts after all layers, the messages of each layer given by one of `convolutions`."""
        layers = len(self.norms)
        # Concepts to embed and edges to pass messages along, for each layer.
        whole = [(len(nodes), edges.shape[1])] * layers
        sizes = whole if hops is None else hops.layers(layers)
        nodes = self.start(nodes)
        for convolution, norm, (count, size) in zip(convolutions, self.norms, sizes, strict=True):
            messages = convolution(nodes, edges[:, :size], kinds[:size], weights[:size], count)
            nodes = norm(nodes[:count] + self.drop(gelu(messages)))
        return nodes


def sum_at(values: Tensor, places: Tensor, count: int) -> Tensor:
    """Add up rows of `values` `[E, ...]` by their place in `[0, count)`, to `[count, ...]`."""
    return values.new_zeros(count, *values.shape[1:]).index_add(0, places, values)
