"""CARZero: similarity of picture and report by cross-attention, in place of a cosine (Lai 2024).

Reference: Lai, Yao, Jiang, Wang, He, Tao, Zhou: CARZero: Cross-Attention Alignment for Radiology
Zero-Shot Classification, CVPR 2024. Fidelity: paper, by the card of the authors' code. For every
pair of a picture and a text the vector of the one asks the tokens of the other, through a decoder
without self-attention, and a linear layer makes a logit of what it finds; pairs are contrasted both
ways in both matrices.

What differs, and why:
- Equal texts, and texts of the same study, are no rivals, since reports repeat themselves.
- Zero-shot, a finding's prompt is contrasted with its denial, as for every system of two towers;
  the authors ask by `There is X`, after reports were put into that form by a language model.
- A pair is decoded for itself, so a step costs the square of the batch: batches are small here.
- Retrieval is by the vectors of the towers, which `contrast` trains where a stage weighs it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch
from fusion.devices import gathered, gathered_tokens
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.queries import QueryDecoder
from fusion.losses.pair_cross_entropy import pair_cross_entropy
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Few

__all__ = ["CARZero"]


class CARZero(DualEncoder):
    """Two towers, and a decoder through which each side asks the other.

    Args:
        options: Sizes.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            layers: Layers of the decoder.
            heads: Attention heads of a layer.
        """

        layers: Few = 4
        heads: Few = 4

    BETWEEN = {"cross_contrast": 1.0, "contrast": 1.0}
    options: Options

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        if self.text_tower is not None:
            self.decoder = QueryDecoder(
                options.width, options.layers, options.heads, options.dropout
            )
            self.score = nn.Linear(options.width, 1)

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Contrast by cross-attention, and of the vectors of the towers."""
        return {
            "cross_contrast": lambda: self.cross_contrast(pairs),
            "contrast": lambda: self.contrast(pairs),
        }

    def cross_contrast(self, pairs: Pairs) -> Tensor:
        """Pairs have higher scores than others, whichever side asks."""
        image, text = _of_all(pairs.image), _of_all(pairs.text)
        same, mask = gathered(pairs.same), image.mask.any(1) & text.mask.any(1)
        by_text, by_image = self.scores(text, image).T, self.scores(image, text)
        of_both = (pair_cross_entropy(one, same=same, mask=mask) for one in (by_text, by_image))
        return sum(of_both, by_text.new_zeros(())) / 2

    def scores(self, asking: Features, asked: Features) -> Tensor:
        """Score of the vector of each row of one side with the tokens of the other, `[A, B]`."""
        there = asked.mask.any(1, keepdim=True)
        tokens = torch.cat([asked.pooled[:, None], asked.tokens], 1)
        found = self.decoder(asking.pooled, tokens, torch.cat([there, asked.mask], 1))
        scored: Tensor = self.score(found).squeeze(-1).T
        return scored

    def similarity(self, image: Features, text: Features) -> Tensor:
        """Mean score of every image with every text, each side asked, `[B, A]`."""
        scores = (self.scores(text, image).T + self.scores(image, text)) / 2
        return scores * image.mask.any(1, keepdim=True)


def _of_all(features: Features) -> Features:
    """Features of the rows of all devices."""
    tokens, mask = gathered_tokens(features.tokens, features.mask)
    return Features(tokens, mask, gathered(features.pooled))
