"""What the graph networks share: layers with residuals, normalisation and dropout."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn.functional import gelu

from kg.errors import InputError


class ResidualGraph(nn.Module):
    """Layers of messages over a graph, each one added to what a concept was before.

    Args:
        convolutions: Layers called with nodes `[N, D]`, edges `[2, E]`, kinds `[E]` and weights
            `[E]`, that give the messages `[N, D]`.
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

    def forward(self, nodes: Tensor, edges: Tensor, kinds: Tensor, weights: Tensor) -> Tensor:
        """Embed concepts `[N, D]`; see `GraphEncoder`."""
        nodes = self.start(nodes)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            messages = gelu(convolution(nodes, edges, kinds, weights))
            nodes = norm(nodes + self.drop(messages))
        return nodes


def sum_at(values: Tensor, places: Tensor, count: int) -> Tensor:
    """Add up rows of `values` `[E, ...]` by their place in `[0, count)`, to `[count, ...]`."""
    return values.new_zeros(count, *values.shape[1:]).index_add(0, places, values)


def check_heads(part: str, width: int, heads: int) -> None:
    """Refuse a width that the attention heads cannot share.

    Raises:
        InputError: If it cannot be divided.
    """
    if heads < 1 or width % heads:
        raise InputError(
            f"{part}.heads: {heads} heads cannot share a width of {width}",
            "choose a number of heads that divides the width",
        )
