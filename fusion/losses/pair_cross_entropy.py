"""Pair cross-entropy: contrastive loss of a matrix of scores, where row and column are pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.losses._rivals import rivals_of

__all__ = ["pair_cross_entropy"]


def pair_cross_entropy(
    scores: Tensor,
    *,
    weight: float = 0.5,
    same: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Symmetric cross-entropy of finding the partner among all others.

    Args:
        scores: Scores of every row with every column as logits, `[B, B]`; pairs on the diagonal.
            Where a batch is shared by several devices, these and the others are those of all.
        weight: Weight of finding the column by the row; the other way has the rest.
        same: Whole numbers `[B]` or `[B, K]`, for example a hash of the study and one of the
            text: pairs that share one in any column are no rivals. Negative = none.
        mask: True where a pair is complete, `[B]`; the others are neither pairs nor rivals.

    Returns:
        Mean over the pairs; zero where there are fewer than two.
    """
    pairs = scores.new_ones(len(scores), dtype=torch.bool) if mask is None else mask
    kept = rivals_of(pairs, same) | torch.diag(pairs)
    # who is no rival is pushed out of every softmax
    logits = scores.masked_fill(~kept, torch.finfo(scores.dtype).min)
    targets = torch.arange(len(logits), device=logits.device)
    by_row = F.cross_entropy(logits, targets, reduction="none")
    by_column = F.cross_entropy(logits.T, targets, reduction="none")
    enough = (pairs.sum() > 1).to(logits.dtype)
    each = weight * by_row + (1 - weight) * by_column
    return (each * pairs).sum() / pairs.sum().clamp_min(1) * enough
