"""Reliable hard examples: cross-entropy over reliable labels, weighted by the error."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from fusion.devices import mean_of

__all__ = ["reliable_hard_bce"]


def reliable_hard_bce(logits: Tensor, targets: Tensor, exclusive: Tensor) -> Tensor:
    """Relational hard-example mining of LesaNet (Yan 2019).

    Labels mined from text are sure where they are positive, and where they exclude a positive of
    the same study; a label that is merely not mentioned may hold. The paper draws 10,000 of the
    sure answers with a chance proportional to their squared error and takes the mean; this is
    that mean's expectation, so nothing is drawn.

    Args:
        logits: `[B, C]`.
        targets: 1 = positive; 0 and NaN are both not sure, `[B, C]`.
        exclusive: True where two labels cannot hold together, `[C, C]`.

    Returns:
        Mean over the sure answers, weighted by squared error (which gets no gradient); zero where
        there is none.
    """
    positive = targets == 1
    denied = (positive.to(logits.dtype) @ exclusive.to(logits.dtype) > 0) & ~positive
    truth = positive.to(logits.dtype)
    error = (logits.detach().sigmoid() - truth) ** 2
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return mean_of(each, error * (positive | denied))
