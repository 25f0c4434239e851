"""InfoNCE with soft targets: contrastive loss where targets give the similarity of rows."""

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
        masks: True where a row is there, `[A]` and `[B]`; the others neither count nor are rivals.

    Returns:
        Mean over the rows that have a partner; zero where none has.
    """
    present = masks or tuple(torch.ones(len(x), dtype=torch.bool, device=x.device) for x in (a, b))
    a, b, of_a, of_b = gathered(a), gathered(b), gathered(present[0]), gathered(present[1])
    both = of_a[:, None] & of_b[None]
    logits = a @ b.T * scale
    logits = logits.masked_fill(~both, torch.finfo(logits.dtype).min)
    partners = targets * both
    return weight * _one_way(logits, partners) + (1 - weight) * _one_way(logits.T, partners.T)


def _one_way(logits: Tensor, partners: Tensor) -> Tensor:
    """Cross-entropy of the rows that have a partner."""
    total = partners.sum(1, keepdim=True)
    counted = total[:, 0] > 0
    shares = partners / total.where(total > 0, torch.ones_like(total))
    each = F.cross_entropy(logits, shares, reduction="none")
    return (each * counted).sum() / counted.sum().clamp_min(1)
