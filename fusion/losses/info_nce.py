"""InfoNCE: contrastive loss of paired rows against all other pairs of a batch."""

from __future__ import annotations

from torch import Tensor

from fusion.devices import gathered
from fusion.losses.pair_cross_entropy import pair_cross_entropy

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
    scores = gathered(a) @ gathered(b).T * scale
    return pair_cross_entropy(
        scores,
        weight=weight,
        same=None if same is None else gathered(same),
        mask=None if mask is None else gathered(mask),
    )
