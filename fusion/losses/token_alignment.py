"""Token alignment: each word or region is found by what it attends to on the other side."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.text._words import of_like_length
from fusion.devices import mean_of
from fusion.layers.word_region import region_weights

__all__ = ["token_alignment"]


def token_alignment(
    words: Tensor,
    regions: Tensor,
    masks: tuple[Tensor, Tensor],
    *,
    temperature: float = 0.1,
) -> Tensor:
    """Cross-attention token alignment within each study (MGCA, Wang 2022).

    A word attends to the regions of its own study, and what it attends to is told from what the
    other words of the text attend to; regions likewise attend to words. Nothing is compared across
    studies.

    Args:
        words: Word vectors of unit length, `[B, T, D]`.
        regions: Region vectors of unit length, `[B, S, D]`.
        masks: True where there is a word, `[B, T]`, and where there is a region, `[B, S]`; padding
            is neither attended to nor a rival.
        temperature: Divisor of dot products, in the attention and in the loss.

    Returns:
        Mean of both sides over the rows that have both; zero where none has.
    """
    each, counts = [], []
    for rows, length in of_like_length(masks[0]):
        w, r = words[rows, :length], regions[rows]
        of_w, of_r = masks[0][rows, :length], masks[1][rows]
        by_word = _one_side(w, r, of_w, of_r, temperature)
        by_region = _one_side(r, w, of_r, of_w, temperature)
        each.append((by_word + by_region) / 2)
        counts.append(of_w.any(1) & of_r.any(1))
    return mean_of(torch.cat(each), torch.cat(counts))


def _one_side(
    tokens: Tensor, others: Tensor, mask: Tensor, other_mask: Tensor, temperature: float
) -> Tensor:
    """Loss of each study, the mean over its tokens, `[B]`."""
    near = tokens @ others.transpose(1, 2)
    weights = region_weights(near, mask, other_mask, scale=1 / temperature, competing=False)
    attended = F.normalize(weights @ others, dim=-1)
    logits = tokens @ attended.transpose(1, 2) / temperature
    pairs = mask[:, :, None] & mask[:, None]
    logits = logits.masked_fill(~pairs, torch.finfo(logits.dtype).min)
    targets = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    by_token = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    by_attended = F.cross_entropy(logits, targets, reduction="none")
    each = (by_token + by_attended) / 2 * mask
    return each.sum(1) / mask.sum(1).clamp_min(1)
