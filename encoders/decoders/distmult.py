"""DistMult: an edge is likely where the product of its three vectors is large (Yang 2015).

Reference: Yang: Embedding Entities and Relations for Learning and Inference in Knowledge Bases,
2015. Differs: an inverse relation has its own vector, so that direction can be learned.
"""

from __future__ import annotations

from torch import Tensor, nn

from encoders.decoders._start import relation_vectors
from kg.options import Options as BaseOptions

__all__ = ["DistMult"]


class DistMult(nn.Module):
    """Sum over the product of subject, relation and object."""

    cells = 1

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options, *, width: int, relations: int) -> None:
        super().__init__()
        self.relations = relation_vectors(relations, width)

    def forward(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """Queries `[B, D]`; see `Decoder`."""
        return subjects * self.relations[kinds]

    def scores(self, queries: Tensor, nodes: Tensor) -> Tensor:
        """Logits `[B, N]`."""
        return queries @ nodes.T

    def kind_scores(self, subjects: Tensor, objects: Tensor) -> Tensor:
        """Logits `[B, R]`."""
        return (subjects * objects) @ self.relations.T

    def sizes(self, vectors: Tensor) -> Tensor:
        """Absolute values `[..., D]`."""
        return vectors.abs()

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """Absolute values `[B, D]`."""
        return self.relations[kinds].abs()
