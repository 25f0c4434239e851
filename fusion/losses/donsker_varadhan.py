"""Donsker-Varadhan: lower bound on mutual information by the scores of a critic, as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from fusion.losses._rivals import rivals_of

__all__ = ["donsker_varadhan"]


def donsker_varadhan(
    scores: Tensor, *, same: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """Negative bound of Donsker and Varadhan (MINE, Belghazi 2018; Liao 2021).

    The mean of exponentials is over all rivals of all pairs. With its sum in place of the mean it
    is the loss that the code of Liao (2021) calls InfoNCE: the same but for a constant. The
    row-wise InfoNCE is `pair_cross_entropy`.

    Args:
        scores: Score of every row with every column, `[B, B]`; pairs on the diagonal. Where a
            batch is shared by several devices, these and the others are those of all.
        same: Whole numbers `[B]` or `[B, K]`: pairs that share one in any column are no rivals.
            Negative = none.
        mask: True where a pair is complete, `[B]`; the others are neither pairs nor rivals.

    Returns:
        Logarithm of the rivals' mean exponential less the mean of the pairs; zero without a rival.
    """
    pairs = scores.new_ones(len(scores)).bool() if mask is None else mask
    rivals = rivals_of(pairs, same)
    lowest = torch.finfo(scores.dtype).min
    number = rivals.sum().clamp_min(1).to(scores.dtype)
    apart = scores.masked_fill(~rivals, lowest).flatten().logsumexp(0) - number.log()
    together = (scores.diagonal() * pairs).sum() / pairs.sum().clamp_min(1)
    return torch.where(rivals.any(), apart - together, 0 * together)
