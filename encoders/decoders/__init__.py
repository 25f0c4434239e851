"""Catalog of decoders: from an embedded concept and a relation to a score of every other end."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["DECODERS", "Decoder"]


@runtime_checkable
class Decoder(Protocol):
    """A torch module that judges edges; built as `Part(options, width=D, relations=R)`.

    `relations` counts directed kinds, so that the missing subject of an edge is asked for as the
    missing object of its inverse. `cells` is how many numbers one score holds in memory.
    """

    Options: Any
    cells: int

    def __call__(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """What the other end should be like.

        Args:
            subjects: Embedded concepts `[B, D]`.
            kinds: Directed relation kind of each, `[B]`.

        Returns:
            Queries `[B, D]`.
        """

    def scores(self, queries: Tensor, nodes: Tensor) -> Tensor:
        """Scores of concepts `[N, D]` as answers to queries `[B, D]`, as logits `[B, N]`."""

    def kind_scores(self, subjects: Tensor, objects: Tensor) -> Tensor:
        """Scores of every kind between two ends `[B, D]`, as logits `[B, R]`."""

    def sizes(self, vectors: Tensor) -> Tensor:
        """Size of each number of vectors `[..., D]`, which the penalty of training keeps small."""

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """Likewise of the relations' own numbers, `[B, ...]`."""


DECODERS: Catalog[Any] = Catalog(
    "encoders.decoders",
    "decoder",
    ("Options", "forward", "scores", "kind_scores", "sizes", "relation_sizes"),
)
