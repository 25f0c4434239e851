"""MGCA: alignment of wholes, of tokens and of clusters of studies (Wang 2022).

Reference: Wang, Zhou, Wang, Vardhanabhuti, Yu: Multi-Granularity Cross-modal Alignment for
Generalized Medical Visual Representation Learning, NeurIPS 2022, arXiv 2210.06044. Fidelity: paper,
with sizes and temperatures of the authors' code (HKU-MedAI/MGCA). Picture and report are contrasted
as wholes; every word and region is found, within its study, by what it attends to on the other
side; and each side predicts the prototypes that Sinkhorn's algorithm assigns to the other.

What differs, and why:
- Padding is no rival of words, and what a region attends to is of unit length; in the authors' code
  padding is, and with a transformer of patches the length is left as it is.
- Words and regions of a study count equally, as the authors have it with a ResNet; with a
  transformer they weigh them by the attention of its class token.
- Equal reports are no rivals as wholes. The last layer of a projection is not normalised over the
  batch.
- Prototypes are held still in the first epoch by a stage of its own, whose schedule is its own too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.projection import Projection
from fusion.losses.swapped_prediction import swapped_prediction
from fusion.losses.token_alignment import token_alignment
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Count, Few, Positive, Width

__all__ = ["MGCA"]


class MGCA(DualEncoder):
    """Two towers aligned as wholes, token by token, and by prototypes.

    Args:
        options: Sizes and temperatures.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            token_temperature: Divisor of dot products of words and regions.
            prototypes: Number of prototypes.
            prototype_temperature: Divisor of predictions of prototypes.
            epsilon: Entropy regularisation of the assignment to prototypes.
            iterations: Iterations of the assignment.
        """

        hidden: tuple[Width, ...] = (256,)
        temperature: Positive = 0.07
        token_temperature: Positive = 0.1
        prototypes: Count = 500
        prototype_temperature: Positive = 0.2
        epsilon: Positive = 0.05
        iterations: Few = 3

    options: Options
    BETWEEN = {"contrast": 1.0, "tokens": 1.0, "prototypes": 1.0}

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One epoch in which the prototypes are still, then all of it."""
        return (
            Stage(
                name="still_prototypes",
                objectives=cls.BETWEEN,
                trains=("image_", "text_", "region_projection.", "word_projection."),
                epochs=1,
                monitor="none",
            ),
            *super().default_stages(options),
        )

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, norm=nn.BatchNorm1d)
        if self.text_tower is not None:
            sizes = options.width, options.space, options.hidden
            self.region_projection = Projection(*sizes, nn.BatchNorm1d)
            self.word_projection = Projection(*sizes, nn.BatchNorm1d)
            self.prototypes = nn.Parameter(torch.randn(options.prototypes, options.space))

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Alignment of wholes, of tokens within a study, and of assignments to prototypes."""
        return {
            "contrast": lambda: self.contrast(pairs),
            "tokens": lambda: token_alignment(
                _tokens_in_space(pairs.text, self.word_projection),
                _tokens_in_space(pairs.image, self.region_projection),
                (pairs.text.mask, pairs.image.mask),
                temperature=self.options.token_temperature,
            ),
            "prototypes": lambda: self.swapped_prototypes(pairs),
        }

    def swapped_prototypes(self, pairs: Pairs) -> Tensor:
        """Each side predicts the prototypes that the other is assigned to."""
        prototypes = F.normalize(self.prototypes, dim=-1)
        return swapped_prediction(
            pairs.image_vectors @ prototypes.T,
            pairs.text_vectors @ prototypes.T,
            temperature=self.options.prototype_temperature,
            epsilon=self.options.epsilon,
            iterations=self.options.iterations,
            mask=pairs.mask,
        )


def _tokens_in_space(features: Features, projection: nn.Module) -> Tensor:
    """Unit vectors of tokens, `[B, L, D]`; padding does not count in the batch's statistics."""
    real: Tensor = projection(features.tokens[features.mask])
    made = real.new_zeros(*features.mask.shape, real.shape[-1])
    return made.index_put((features.mask,), real)
