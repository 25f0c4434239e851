"""Swapped prediction: each side predicts the prototypes that the other side is assigned to."""

from __future__ import annotations

import torch
from torch import Tensor

from fusion.devices import gathered

__all__ = ["swapped_prediction"]


def swapped_prediction(
    a: Tensor,
    b: Tensor,
    *,
    temperature: float = 0.2,
    epsilon: float = 0.05,
    iterations: int = 3,
    mask: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the prototypes of paired rows (SwAV, Caron 2020; MGCA, Wang 2022).

    The rows of all devices are assigned together.

    Args:
        a: Dot products of one side with the prototypes, `[B, K]`, of unit vectors.
        b: Those of the other side, `[B, K]`.
        temperature: Divisor of the predictions.
        epsilon: Entropy regularisation of the assignment; see `sinkhorn`.
        iterations: Iterations of the assignment.
        mask: True where a row has both sides, `[B]`; the others are not assigned.

    Returns:
        Mean over the rows; zero where there is none.
    """
    a, b = gathered(a), gathered(b)
    there = a.new_ones(len(a), dtype=torch.bool) if mask is None else gathered(mask)
    of_a, of_b = (
        sinkhorn(side.detach(), there, epsilon=epsilon, iterations=iterations) for side in (a, b)
    )
    by_a, by_b = ((side / temperature).log_softmax(1) for side in (a, b))
    each = -(of_b * by_a + of_a * by_b).sum(1) / 2
    return (each * there).sum() / there.sum().clamp_min(1)


def sinkhorn(scores: Tensor, mask: Tensor, *, epsilon: float, iterations: int) -> Tensor:
    """Soft assignment of rows to columns, all columns about equally often (Cuturi 2013).

    Args:
        scores: `[B, K]`.
        mask: True where a row counts, `[B]`.
        epsilon: Weight of the entropy: the smaller, the harder the assignment.
        iterations: How often columns, then rows, are normalised.

    Returns:
        Shares of each row, which sum to one, `[B, K]`; zeros for a row that does not count.
    """
    # logarithms: exponentials of scores over a small epsilon would leave the range
    left = ~mask[:, None]
    lowest = torch.finfo(scores.dtype).min
    logs = scores / epsilon
    for _ in range(iterations):
        logs = logs.masked_fill(left, lowest)
        logs = logs - logs.logsumexp(0, keepdim=True)
        logs = logs - logs.logsumexp(1, keepdim=True)
    return logs.exp().masked_fill(left, 0.0)
