"""Catalog of decoders: scores of every concept as the object of a subject and a relation."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["DECODERS", "Decoder"]


@runtime_checkable
class Decoder(Protocol):
    """A torch module that scores edges; built as `Part(options, width=D, relations=R)`.

    `relations` counts directed kinds, so that the missing subject of an edge is predicted as the
    missing object of its inverse. `cells` is the number of floats in memory for one score.
    """

    Options: Any
    cells: int

    def __call__(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """Queries for the object of each subject and relation.

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
        """Magnitudes of the numbers of vectors `[..., D]`, for the penalty of training."""

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """Magnitudes of the relations' own numbers, `[B, ...]`."""


DECODERS: Catalog[Any] = Catalog(
    "encoders.decoders",
    "decoder",
    ("Options", "forward", "scores", "kind_scores", "sizes", "relation_sizes"),
)
