"""Late fusion: one tower for each input, averaged over the inputs that are there.

Textbook late fusion, except that joined queries are averaged and not probabilities; the head is
linear in them after the normalisation, so one head serves all inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from encoders.batch import Features
from fusion.joins import INPUTS, Joined, Neighbourhood, pooled_inputs
from kg.bounds import ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["Late"]


class Late(nn.Module):
    """Towers over query and pooled input; no input ever sees another."""

    class Options(PartOptions):
        """Options of the join.

        Args:
            dropout: Dropout on each tower's hidden layer.
        """

        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int, kinds: int) -> None:
        super().__init__()
        self.towers = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.LayerNorm(2 * width),
                    nn.Linear(2 * width, width),
                    nn.GELU(),
                    nn.Dropout(options.dropout),
                    nn.Linear(width, width),
                )
                for name in INPUTS
            }
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
        answers = torch.stack(
            [
                self.towers[name](torch.cat([state, values], -1))
                for name, values in zip(INPUTS, pooled, strict=True)
            ],
            -1,
        )
        weights = there / there.sum(-1, keepdim=True).clamp_min(1)
        return Joined(state + (answers * weights[:, :, None]).sum(-1), weights)
