"""Sequence cross-entropy: loss of each next word of a text, without padding."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from fusion.devices import mean_of

__all__ = ["sequence_cross_entropy"]


def sequence_cross_entropy(
    logits: Tensor, words: Tensor, mask: Tensor, *, smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy of the words of all texts.

    Args:
        logits: Logits at each place, `[B, T, W]` over `W` words.
        words: The word at that place, `[B, T]`.
        mask: True where there is a word, `[B, T]`.
        smoothing: Share of the target spread over all words.

    Returns:
        Mean over words, not over texts; zero where there is no word.
    """
    targets = words.where(mask, 0)
    each = F.cross_entropy(
        logits.transpose(1, 2), targets, reduction="none", label_smoothing=smoothing
    )
    return mean_of(each, mask)
