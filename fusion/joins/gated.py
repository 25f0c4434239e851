"""Gated: one pooled vector of each input, weighed by a gate of its own for each finding.

Reference: Arevalo: Gated Multimodal Units for Information Fusion, 2017 (arXiv:1702.01992). Differs:
four inputs instead of two, the gate sees the finding's query too, and a missing input is closed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from encoders.batch import Features
from fusion.joins import INPUTS, Joined, Neighbourhood, pooled_inputs
from kg.bounds import ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["Gated"]


class Gated(nn.Module):
    """Tanh of each pooled input times a sigmoid gate computed from query and input."""

    class Options(PartOptions):
        """Options of the join.

        Args:
            dropout: Dropout on the joined message.
        """

        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int, kinds: int) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.message = nn.ModuleDict({name: nn.Linear(width, width) for name in INPUTS})
        self.gate = nn.ModuleDict({name: nn.Linear(2 * width, width) for name in INPUTS})
        self.dropout = nn.Dropout(options.dropout)

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
        normed = self.before(state)
        gates = [
            torch.sigmoid(self.gate[name](torch.cat([normed, values], -1))) * there[..., [place]]
            for place, (name, values) in enumerate(zip(INPUTS, pooled, strict=True))
        ]
        messages = [
            gate * torch.tanh(self.message[name](values))
            for name, gate, values in zip(INPUTS, gates, pooled, strict=True)
        ]
        mean = torch.stack([gate.mean(-1) for gate in gates], -1)
        return Joined(state + self.dropout(torch.stack(messages).sum(0)), mean)
