"""RotatE: a relation turns each complex number of its subject by an angle (Sun 2019).

Reference: Sun: RotatE: Knowledge Graph Embedding by Relational Rotation in Complex Space, 2019.
Differs: an inverse relation has its own angles, and the distance is trained as a logit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.decoders._start import check_even, moduli, turned
from kg.options import Options as BaseOptions

__all__ = ["RotatE"]


class RotatE(nn.Module):
    """Negative sum of the distances between the turned subject and the object."""

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options, *, width: int, relations: int) -> None:
        super().__init__()
        check_even("rotate", width)
        self.cells = 2 * width
        self.angles = nn.Parameter(torch.pi * (2 * torch.rand(relations, width // 2) - 1))

    def forward(self, subjects: Tensor, kinds: Tensor) -> Tensor:
        """Queries `[B, D]`; see `Decoder`."""
        angles = self.angles[kinds]
        return turned(subjects, torch.cat((angles.cos(), angles.sin()), dim=-1))

    def scores(self, queries: Tensor, nodes: Tensor) -> Tensor:
        """Logits `[B, N]`, at most 0."""
        return -moduli(queries.unsqueeze(1) - nodes).sum(-1)

    def kind_scores(self, subjects: Tensor, objects: Tensor) -> Tensor:
        """Logits `[B, R]`."""
        every = torch.cat((self.angles.cos(), self.angles.sin()), dim=-1)
        made = turned(subjects.unsqueeze(1), every)
        return -moduli(made - objects.unsqueeze(1)).sum(-1)

    def sizes(self, vectors: Tensor) -> Tensor:
        """Moduli `[..., D / 2]`."""
        return moduli(vectors)

    def relation_sizes(self, kinds: Tensor) -> Tensor:
        """None: an angle has no size; zeros `[B, 1]`."""
        return torch.zeros(len(kinds), 1, device=kinds.device)
