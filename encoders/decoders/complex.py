"""ComplEx: an edge scores high where the complex product of its vectors is large (Trouillon 2016).

Reference: Trouillon: Complex Embeddings for Simple Link Prediction, 2016. Relations and their
inverses have vectors of their own, as in Lacroix: Canonical Tensor Decomposition for Knowledge
Base Completion, 2018, whose cubic penalty the training may use.
"""

from __future__ import annotations

from torch import Tensor, nn

from encoders.decoders._start import check_even, conjugate, moduli, relation_vectors, turned
from kg.options import Options as BaseOptions

__all__ = ["ComplEx"]


class ComplEx(nn.Module):
    """Real part of the product of subject, relation and conjugate object."""

    cells = 1

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options, *, width: int, relations: int) -> None:
        super().__init__()
        check_even("complex", width)
        self.relations = relation_vectors(relations, width)

    def forward(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """Queries `[B, D]`; see `Decoder`."""
        return turned(subjects, self.relations[kinds])

    def scores(self, queries: Tensor, nodes: Tensor) -> Tensor:
        """Logits `[B, N]`."""
        return queries @ nodes.T

    def kind_scores(self, subjects: Tensor, objects: Tensor) -> Tensor:
        """Logits `[B, R]`."""
        return turned(conjugate(subjects), objects) @ self.relations.T

    def sizes(self, vectors: Tensor) -> Tensor:
        """Moduli `[..., D / 2]`."""
        return moduli(vectors)

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """Moduli `[B, D / 2]`."""
        return moduli(self.relations[kinds])
