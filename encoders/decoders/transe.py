"""TransE: a relation moves its subject to where its object is (Bordes 2013).

Reference: Bordes: Translating Embeddings for Modeling Multi-relational Data, 2013. Differs: an
inverse relation has its own vector, and the distance is trained as a logit.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from encoders.decoders._start import relation_vectors
from kg.options import Options as BaseOptions

__all__ = ["TransE"]


class TransE(nn.Module):
    """Negative distance between subject plus relation and object."""

    cells = 1

    class Options(BaseOptions):
        """Options of the decoder.

        Args:
            norm: 1 sums absolute differences, 2 is the Euclidean distance.
        """

        norm: Literal[1, 2] = 2

    def __init__(self, options: Options, *, width: int, relations: int) -> None:
        super().__init__()
        self.norm = float(options.norm)
        self.relations = relation_vectors(relations, width)

    def forward(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """Queries `[B, D]`; see `Decoder`."""
        return subjects + self.relations[kinds]

    def scores(self, queries: Tensor, nodes: Tensor) -> Tensor:
        """Logits `[B, N]`, at most 0."""
        return -torch.cdist(queries, nodes, p=self.norm)

    def kind_scores(self, subjects: Tensor, objects: Tensor) -> Tensor:
        """Logits `[B, R]`."""
        return self.scores(objects - subjects, self.relations)

    def sizes(self, vectors: Tensor) -> Tensor:
        """Absolute values `[..., D]`."""
        return vectors.abs()

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """Absolute values `[B, D]`."""
        return self.relations[kinds].abs()
