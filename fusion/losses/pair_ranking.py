"""Pair ranking: hinge loss of pairs against all others by a margin, which may differ by pair."""

from __future__ import annotations

from torch import Tensor

from fusion.losses._rivals import rivals_of

__all__ = ["pair_ranking"]


def pair_ranking(
    scores: Tensor,
    margins: Tensor | float,
    *,
    same: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Triplet loss of a matrix of scores, in both directions (Chauhan 2020; JoImTeRNet, Ji 2021).

    A pair should score higher than its row with any other column, and than its column with any
    other row. The papers draw one rival of a pair; this is the mean over all of them, so nothing is
    drawn.

    Args:
        scores: Score of every row with every column, `[B, B]`; pairs on the diagonal. Where a
            batch is shared by several devices, these and the others are those of all.
        margins: How much higher, of one pair and its rival `[B, B]`, or of all.
        same: Whole numbers `[B]` or `[B, K]`: pairs that share one in any column are no rivals.
            Negative = none.
        mask: True where a pair is complete, `[B]`; the others are neither pairs nor rivals.

    Returns:
        Mean over the pairs and their rivals of the sum of both directions; zero without a rival.
    """
    pairs = scores.new_ones(len(scores)).bool() if mask is None else mask
    rivals = rivals_of(pairs, same)
    right = scores.diagonal()
    by_row = (scores - right[:, None] + margins).relu()
    by_column = (scores - right[None] + margins).relu()
    return ((by_row + by_column) * rivals).sum() / rivals.sum().clamp_min(1)
