"""LinkPredictor: concept vectors, a graph network over them where one is asked for, a decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from encoders.decoders import DECODERS, Decoder
from encoders.graph import GRAPH_ENCODERS
from kg.options import Part, parse_options

__all__ = ["LinkPredictor", "Messages"]


class Messages(NamedTuple):
    """Directed edges a graph network passes messages along.

    Args:
        ends: Subject and object of each edge, `[2, E]`.
        kinds: Directed kind of each, `[E]`.
    """

    ends: Tensor
    kinds: Tensor


class LinkPredictor(nn.Module):
    """Embeds concepts and scores edges between them.

    A graph network adds to a concept's own vector what it hears from its neighbours, each number
    at a learned share that starts small, so that a graph that says nothing costs little.

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
        self.encoder: nn.Module | None = None
        if encoder is not None:
            part = GRAPH_ENCODERS.load(encoder.name)
            options = parse_options(part.Options, encoder.options, where=encoder.name)
            self.encoder = part(options, width=width, relations=kinds, concepts=concepts)
            self.share = nn.Parameter(torch.full((width,), 0.1))
        part = DECODERS.load(decoder.name)
        options = parse_options(part.Options, decoder.options, where=decoder.name)
        self.decoder: Decoder = part(options, width=width, relations=kinds)

    def nodes(self, messages: Messages, concepts: Tensor | None = None) -> Tensor:
        """Embedded concepts `[N, D]`, or those asked for (the ends then count within them)."""
        own = self.vectors if concepts is None else self.vectors[concepts]
        if self.encoder is None:
            return own
        ones = own.new_ones(len(messages.kinds))
        heard: Tensor = self.encoder(own, messages.ends, messages.kinds, ones)
        return own + self.share * heard
