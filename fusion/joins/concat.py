"""Concatenation: each query beside the pooled vector of every input, then one hidden layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from encoders.batch import Features
from fusion.joins import Joined, Neighbourhood, pooled_inputs
from kg.bounds import ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["Concat"]


class Concat(nn.Module):
    """Plainest join: no attention, one hidden layer over query and pooled inputs.

    A missing input is a zero vector. The gates are 1 for the inputs that were there.
    """

    class Options(PartOptions):
        """Options of the join.

        Args:
            dropout: Dropout on the hidden layer.
        """

        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int, kinds: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.LayerNorm(5 * width),
            nn.Linear(5 * width, 2 * width),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(2 * width, width),
        )

    def forward(
        self,
        queries: Tensor,
        neighbourhood: Neighbourhood,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the inputs of each of `B` studies."""
        pooled, there = pooled_inputs(len(queries), neighbourhood, studies)
        state = queries.expand(len(there), -1, -1)
        return Joined(state + self.mix(torch.cat([state, *pooled], -1)), there)
