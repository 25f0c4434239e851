"""Shared by losses of pairs: who is a rival of whom in a batch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["rivals_of"]


def rivals_of(pairs: Tensor, same: Tensor | None) -> Tensor:
    """Whether row and column are of complete pairs that are not alike, `[B, B]`; a pair is of none.

    Args:
        pairs: True where a pair is complete, `[B]`.
        same: Whole numbers `[B]` or `[B, K]`: pairs that share one in any column are alike.
            Negative = none.
    """
    itself = torch.eye(len(pairs), dtype=torch.bool, device=pairs.device)
    rivals = pairs[:, None] & pairs[None] & ~itself
    if same is None:
        return rivals
    keys = same.reshape(len(same), -1)
    return rivals & ~((keys[:, None] == keys[None]) & (keys >= 0)).any(-1)
