"""Balanced cross-entropy: positives and negatives of a label have equal total weight."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.devices import mean_of, total_of

__all__ = ["balanced_bce"]


def balanced_bce(
    logits: Tensor, targets: Tensor, share: Tensor | None = None, *, limit: float = 300.0
) -> Tensor:
    """Weighted binary cross-entropy of labels that may hold together.

    With the shares of the training studies as in LesaNet (Yan 2019): a positive weighs `1 / 2p`
    and a negative `1 / 2(1 - p)`. Without, positives and negatives of the batch, all labels
    together, weigh half each, as in ChestX-ray8 (Wang 2017) and TieNet (Wang 2018), whose weights
    are twice these.

    Args:
        logits: `[B, C]`.
        targets: 1, 0, anything between, or NaN = not stated, `[B, C]`.
        share: Share of positives of each label, `p`, `[C]`; None takes the batch's.
        limit: Largest weight of a label.

    Returns:
        Weighted sum over the number of stated labels; zero where nothing is stated.
    """
    stated = ~targets.isnan()
    truth = targets.nan_to_num(0.0)
    if share is None:
        share = total_of(truth) / total_of(stated).clamp_min(1)
    tiny = torch.finfo(logits.dtype).tiny
    of_sick, of_well = (
        (0.5 / part.clamp_min(tiny)).clamp_max(limit) for part in (share, 1 - share)
    )
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return mean_of(each * (truth * of_sick + (1 - truth) * of_well), stated)
