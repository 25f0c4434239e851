"""Late: every source answers by itself, and the answers are averaged over those that are there.

The textbook late fusion. Differs: what is averaged is each source's joined query and not its
probability; the head is linear in it after the normalisation, so one head serves all sources.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from encoders.batch import Features
from fusion.joins import SOURCES, Joined, Memory, pooled_sources
from kg.options import Options as PartOptions

__all__ = ["Late"]


class Late(nn.Module):
    """A tower a source over query and pooled source; no source ever sees another."""

    class Options(PartOptions):
        """Options of the join.

        Args:
            dropout: Dropout on each tower's hidden layer.
        """

        dropout: float = 0.2

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
                for name in SOURCES
            }
        )

    def forward(
        self,
        queries: Tensor,
        memory: Memory,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the sources of each of `B` studies."""
        pooled, there = pooled_sources(len(queries), memory, studies)
        state = queries.expand(len(there), -1, -1)
        answers = torch.stack(
            [
                self.towers[name](torch.cat([state, values], -1))
                for name, values in zip(SOURCES, pooled, strict=True)
            ],
            -1,
        )
        weights = there / there.sum(-1, keepdim=True).clamp_min(1)
        return Joined(state + (answers * weights[:, :, None]).sum(-1), weights)
