"""InfoNCE: contrastive loss of paired rows against all other pairs of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.devices import gathered

__all__ = ["info_nce"]


def info_nce(
    a: Tensor,
    b: Tensor,
    *,
    scale: Tensor | float = 1.0,
    weight: float = 0.5,
    same: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Symmetric contrastive loss of paired rows (van den Oord 2018; ConVIRT, Zhang 2020).

    The rows of all devices are negatives of each other.

    Args:
        a: One side, for example pictures, `[B, D]`; usually of unit length.
        b: The other side, for example reports, `[B, D]`; row `i` belongs to row `i` of `a`.
        scale: Factor on dot products: one over the temperature.
        weight: Weight of finding `b` by `a`; finding `a` by `b` has the rest.
        same: Whole numbers `[B]` or `[B, K]`, for example a hash of the study and one of the
            text: rows that share one in any column are no rivals. Negative = none.
        mask: True where a row has both sides, `[B]`; the others are neither pairs nor rivals.

    Returns:
        Mean over the pairs; zero where there are fewer than two.
    """
    pairs = torch.ones(len(a), dtype=torch.bool, device=a.device) if mask is None else mask
    a, b, pairs = gathered(a), gathered(b), gathered(pairs)
    rivals = pairs[:, None] & pairs[None]
    if same is not None:
        rivals = rivals & ~_alike(gathered(same))
    logits = a @ b.T * scale
    # who is no rival is pushed out of every softmax
    logits = logits.masked_fill(~rivals, torch.finfo(logits.dtype).min)
    targets = torch.arange(len(logits), device=logits.device)
    a_to_b = F.cross_entropy(logits, targets, reduction="none")
    b_to_a = F.cross_entropy(logits.T, targets, reduction="none")
    enough = (pairs.sum() > 1).to(logits.dtype)
    each = weight * a_to_b + (1 - weight) * b_to_a
    return (each * pairs).sum() / pairs.sum().clamp_min(1) * enough


def _alike(same: Tensor) -> Tensor:
    """Whether two different rows share a number, `[B, B]`."""
    keys = same.reshape(len(same), -1)
    shared = ((keys[:, None] == keys[None]) & (keys >= 0)).any(-1)
    return shared & ~torch.eye(len(keys), dtype=torch.bool, device=keys.device)
