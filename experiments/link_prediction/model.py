"""LinkPredictor: concept vectors, an optional graph network over them, and a decoder."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from encoders.decoders import DECODERS, Decoder
from encoders.graph import GRAPH_ENCODERS
from encoders.neighbours import Sampled
from kg.options import Part, parse_options

__all__ = ["LinkPredictor", "Messages"]


class Messages(NamedTuple):
    """Directed edges for the messages of a graph network.

    Args:
        ends: Subject and object of each edge, `[2, E]`.
        kinds: Directed kind of each, `[E]`.
    """

    ends: Tensor
    kinds: Tensor


class LinkPredictor(nn.Module):
    """Embeds concepts and scores edges between them.

    A graph network adds messages of the neighbours to a concept's own vector, each number with a
    learned weight that starts small, so that an uninformative graph costs little.

    Args:
        encoder: The graph network, or None for plain vectors.
        decoder: The decoder.
        concepts: Number of concepts (`N`).
        kinds: Number of directed relation kinds.
        width: Width of a concept vector (`D`).
    """

    def __init__(
        self, encoder: Part | None, decoder: Part, *, concepts: int, kinds: int, width: int
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(0.1 * torch.randn(concepts, width))
        self.encoder: Any = None
        if encoder is not None:
            part = GRAPH_ENCODERS.load(encoder.name)
            options = parse_options(part.Options, encoder.options, where=encoder.name)
            self.encoder = part(options, width=width, relations=kinds, concepts=concepts)
            self.share = nn.Parameter(torch.full((width,), 0.1))
        part = DECODERS.load(decoder.name)
        options = parse_options(part.Options, decoder.options, where=decoder.name)
        self.decoder: Decoder = part(options, width=width, relations=kinds)

    def nodes(self, messages: Messages) -> Tensor:
        """Embedded concepts `[N, D]`."""
        if self.encoder is None:
            return self.vectors
        ones = self.vectors.new_ones(len(messages.kinds))
        aggregated: Tensor = self.encoder(self.vectors, *messages, ones)
        return self.vectors + self.share * aggregated

    def nodes_of(self, subgraph: Sampled, kinds: Tensor) -> Tensor:
        """Embedded seeds of a sampled subgraph, `[b, D]`.

        Args:
            subgraph: The sampled subgraph.
            kinds: Directed kind of each of its edges, `[e]`.
        """
        own = self.vectors.index_select(0, subgraph.concepts)
        ones = own.new_ones(len(kinds))
        aggregated: Tensor = self.encoder(own, subgraph.ends, kinds, ones, subgraph.hops)
        return own[: len(aggregated)] + self.share * aggregated
