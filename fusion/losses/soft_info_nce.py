"""InfoNCE with soft targets: rows should be as near to each other as their targets say."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.devices import gathered

__all__ = ["soft_info_nce"]


def soft_info_nce(
    a: Tensor,
    b: Tensor,
    targets: Tensor,
    *,
    scale: Tensor | float = 1.0,
    weight: float = 0.5,
    masks: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Symmetric contrastive loss where a row may have several partners (MedCLIP, Wang 2022).

    Args:
        a: One side, for example pictures, `[A, D]`; usually of unit length.
        b: The other side, `[B, D]`; nothing need be paired with `a`.
        targets: How much each row of `b` is a partner of each of `a`, at least 0, `[A, B]`; made
            into shares by row for finding `b`, by column for finding `a`. Where a batch is shared
            by several devices these are the rows of all of them, as `fusion.devices.gathered`
            orders them.
        scale: What dot products are multiplied by: one over the temperature.
        weight: Weight of finding `b` by `a`; finding `a` by `b` has the rest.
        masks: True where a row is there, `[A]` and `[B]`; the others are neither asked nor rivals.

    Returns:
        Mean over the rows that have a partner; zero where none has.
    """
    there = masks or tuple(torch.ones(len(x), dtype=torch.bool, device=x.device) for x in (a, b))
    a, b, of_a, of_b = gathered(a), gathered(b), gathered(there[0]), gathered(there[1])
    both = of_a[:, None] & of_b[None]
    near = a @ b.T * scale
    near = near.masked_fill(~both, torch.finfo(near.dtype).min)
    wanted = targets * both
    return weight * _one_way(near, wanted) + (1 - weight) * _one_way(near.T, wanted.T)


def _one_way(near: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of the rows that have a partner."""
    total = wanted.sum(1, keepdim=True)
    asked = total[:, 0] > 0
    shares = wanted / total.where(total > 0, torch.ones_like(total))
    each = F.cross_entropy(near, shares, reduction="none")
    return (each * asked).sum() / asked.sum().clamp_min(1)
