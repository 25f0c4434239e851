"""Word-region attention: how well each text fits each image, by its words and its regions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from encoders.text._words import of_like_length
from fusion.layers.pools import masked_softmax

__all__ = ["Pool", "region_weights", "word_region_scores"]

Pool = Literal["sum", "mean", "max"]
"""How the scores of the words of a text make one."""


def region_weights(
    similarity: Tensor,
    word_mask: Tensor,
    region_mask: Tensor,
    *,
    scale: float = 1.0,
    competing: bool = True,
) -> Tensor:
    """Attention of words on regions.

    Args:
        similarity: Dot products of words and regions, `[..., T, S]`.
        word_mask: True where there is a word, `[..., T]`; broadcastable.
        region_mask: True where there is a region, `[..., S]`; broadcastable.
        scale: Factor before the softmax over regions.
        competing: Whether words compete for each region, by a softmax over words before that over
            regions (DAMSM, Xu 2018; GLoRIA, Huang 2021).

    Returns:
        Weights that sum to one over the regions, `[..., T, S]`; zeros for a word or a region that
        is not there.
    """
    if competing:
        similarity = masked_softmax(similarity, word_mask[..., None], dim=-2)
    return masked_softmax(similarity * scale, region_mask[..., None, :]) * word_mask[..., None]


def word_region_scores(
    words: Tensor,
    regions: Tensor,
    masks: tuple[Tensor, Tensor],
    *,
    attention_scale: float = 4.0,
    word_scale: float = 5.0,
    pool: Pool = "sum",
) -> Tensor:
    """Score of every image with every text by word-region attention (DAMSM, GLoRIA).

    A word is compared by cosine with the mean of the regions it attends to; the cosines of a text
    are pooled by their smooth maximum, `log(sum(exp(k * cosine))) / k`.

    Args:
        words: Word vectors of texts, `[A, T, D]`.
        regions: Region vectors of images, `[B, S, D]`.
        masks: True where there is a word, `[A, T]`, and where there is a region, `[B, S]`.
        attention_scale: Factor before the softmax over regions.
        word_scale: The factor `k`. The published code of both methods does not divide by it again;
            that multiplies all scores.
        pool: `sum` as above, which grows with the number of words; `mean` in place of the sum; or
            the maximum itself.

    Returns:
        `[B, A]`; 0 for a text without a word.
    """
    groups = list(of_like_length(masks[0]))
    scores = torch.cat(
        [
            _scores(
                (words[rows, :length], regions),
                (masks[0][rows, :length], masks[1]),
                (attention_scale, word_scale),
                pool,
            )
            for rows, length in groups
        ],
        dim=1,
    )
    return scores[:, torch.cat([rows for rows, _ in groups]).argsort()]


def _scores(
    vectors: tuple[Tensor, Tensor],
    masks: tuple[Tensor, Tensor],
    scales: tuple[float, float],
    pool: Pool,
) -> Tensor:
    """Scores of texts of similar length, `[B, A]`."""
    words, regions = vectors
    attention_scale, word_scale = scales
    word_mask, region_mask = masks[0][None], masks[1][:, None]
    similarity = torch.einsum("atd,bsd->bats", words, regions)
    weights = region_weights(similarity, word_mask, region_mask, scale=attention_scale)
    # length of the attended mean by the regions' dot products: its vectors, `[B, A, T, D]`, would
    # be several times as large as everything else here
    products = regions @ regions.transpose(1, 2)
    squared = (torch.einsum("bats,bsr->batr", weights, products) * weights).sum(-1)
    tiny = torch.finfo(squared.dtype).eps
    length: Tensor = squared.clamp_min(tiny).sqrt() * words.norm(dim=-1).clamp_min(tiny)
    scaled = (weights * similarity).sum(-1) / length * word_scale
    scaled = scaled.masked_fill(~word_mask, torch.finfo(scaled.dtype).min)
    count = word_mask.sum(-1)
    scores = scaled.amax(-1) if pool == "max" else scaled.logsumexp(-1)
    if pool == "mean":
        scores = scores - count.clamp_min(1).to(scores.dtype).log()
    return (scores / word_scale).masked_fill(count == 0, 0.0)
