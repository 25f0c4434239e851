"""Catalog of graph encoders: concept vectors and typed edges in, embedded concepts out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from encoders.neighbours import Hops
from kg.catalog import Catalog

__all__ = ["GRAPH_ENCODERS", "GraphEmbedding", "GraphEncoder"]

# torch-geometric calls it while it is imported, which no user can mend
warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated")


@dataclass(frozen=True)
class GraphEmbedding:
    """Embedded concepts with the fingerprint of their graph.

    Args:
        nodes: One vector for each concept in the graph's order, `[N, D]`.
        fingerprint: Fingerprint of that graph.
    """

    nodes: Tensor
    fingerprint: str


@runtime_checkable
class GraphEncoder(Protocol):
    """A torch module over a graph; built as `Part(options, width=D, relations=R, concepts=N)`.

    `relations` counts directed kinds: each relation and its inverse are two kinds. An `inductive`
    encoder can embed another graph than the one it was trained on; the others refuse it.
    """

    Options: Any
    inductive: bool

    def __call__(
        self,
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        weights: Tensor,
        hops: Hops | None = None,
    ) -> Tensor:
        """Embed concepts.

        Args:
            nodes: Concept vectors `[N, D]`.
            edges: Subject and object index of each edge `[2, E]` (inverses already added).
            kinds: Directed relation kind of each edge, `[E]`, values in `[0, R)`.
            weights: Strength of each edge in (0, 1], `[E]`.
            hops: Distances of the concepts of a sampled subgraph; for inductive encoders only.

        Returns:
            Embedded concepts `[N, D]`; with `hops`, at least those within no step.
        """


GRAPH_ENCODERS: Catalog[Any] = Catalog(
    "encoders.graph", "graph encoder", ("Options", "forward", "inductive")
)
