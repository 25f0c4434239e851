"""Word-region contrast: contrastive loss of images and texts by the attention of words."""

from __future__ import annotations

from torch import Tensor

from fusion.devices import gathered, gathered_tokens
from fusion.layers.word_region import word_region_scores
from fusion.losses.pair_cross_entropy import pair_cross_entropy

__all__ = ["word_region_contrast"]


def word_region_contrast(
    words: Tensor,
    regions: Tensor,
    masks: tuple[Tensor, Tensor],
    *,
    scale: float = 10.0,
    attention_scale: float = 4.0,
    word_scale: float = 5.0,
    same: Tensor | None = None,
) -> Tensor:
    """Local contrastive loss of GLoRIA (Huang 2021), first that of DAMSM (Xu 2018).

    The rows of all devices are negatives of each other.

    Args:
        words: Word vectors, `[B, T, D]`.
        regions: Region vectors of the images, `[B, S, D]`; row `i` belongs to row `i` of `words`.
        masks: True where there is a word, `[B, T]`, and where there is a region, `[B, S]`; a row
            without either is neither a pair nor a rival.
        scale: Factor on scores: one over the temperature.
        attention_scale: Factor before the softmax over regions.
        word_scale: Sharpness of the smooth maximum over words.
        same: Whole numbers `[B]` or `[B, K]`: rows that share one in any column are no rivals.

    Returns:
        Mean over the pairs; zero where there are fewer than two.
    """
    words, word_mask = gathered_tokens(words, masks[0])
    regions, region_mask = gathered_tokens(regions, masks[1])
    scores = word_region_scores(
        words,
        regions,
        (word_mask, region_mask),
        attention_scale=attention_scale,
        word_scale=word_scale,
    )
    return pair_cross_entropy(
        scores * scale,
        same=None if same is None else gathered(same),
        mask=word_mask.any(1) & region_mask.any(1),
    )
