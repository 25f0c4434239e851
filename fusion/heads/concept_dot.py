"""Concept dot: logit as dot product of joined query and a direction given by the concept."""

from __future__ import annotations

from torch import Tensor, nn

from kg.bounds import ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["ConceptDot"]


class ConceptDot(nn.Module):
    """Dot product of the joined query with a direction computed from the concept, plus a bias.

    Direction and bias are functions of the concept, so the head predicts any concept.
    """

    class Options(PartOptions):
        """Options of the head.

        Args:
            dropout: Dropout on the joined query.
        """

        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(options.dropout)
        self.direction = nn.Linear(width, width)
        self.bias = nn.Linear(width, 1)

    def forward(self, queries: Tensor, concepts: Tensor) -> Tensor:
        """Logits `[B, C]` from joined queries `[B, C, D]` and concept vectors `[C, D]`."""
        state = self.dropout(self.norm(queries))
        along = (state * self.direction(concepts)).sum(-1) / state.shape[-1] ** 0.5
        logits: Tensor = along + self.bias(concepts).squeeze(-1)
        return logits
