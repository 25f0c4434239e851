"""Stated cross-entropy: binary cross-entropy over what is stated, each statement alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from fusion.devices import mean_of

__all__ = ["stated_bce"]


def stated_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of stated targets.

    That of two logits, present and absent, with a softmax between them (MedKLIP, Wu 2023) is the
    same of their difference.

    Args:
        logits: Of any shape.
        targets: 1, 0, or NaN = not stated; the same shape.

    Returns:
        Mean over what is stated; zero where nothing is.
    """
    each = F.binary_cross_entropy_with_logits(logits, targets.nan_to_num(0.0), reduction="none")
    return mean_of(each, ~targets.isnan())
