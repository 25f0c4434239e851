"""logistic_text: TF-IDF of the allowed text and logistic regression (baseline).

Words and word pairs, sublinear term frequency, document frequencies of the training studies. With
findings or impression as input it re-reads the labels; its leakage is printed with it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.systems._logistic import LogisticOptions, LogisticSystem
from fusion.layers.tf_idf import inverse_frequency, tf_idf
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Count, Positive
from kg.errors import InputError

__all__ = ["LogisticText"]


class LogisticText(LogisticSystem):
    """Logistic regression on word and word-pair TF-IDF, hashed to a fixed width.

    Args:
        options: Size of the feature space and strength of the regularisation.
        setting: What the run is about; needs a trainable text encoder, for its word ids.
    """

    class Options(LogisticOptions):
        """Options of the regression.

        Args:
            buckets: Features that words and pairs are hashed into.
        """

        strength: Positive = 10.0
        standardise: bool = False
        buckets: Count = 16384

    frequency: Tensor

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        if setting.text_encoder is None:
            raise InputError(
                "logistic_text reads word ids", "set text.encoder.name: tiny_transformer"
            )
        super().__init__(options, setting, stages, options.buckets)
        self.buckets = options.buckets
        self.register_buffer("frequency", torch.ones(options.buckets))

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Count document frequencies, then fit, on the training studies."""
        kept = list(batches)
        seen = torch.stack([(self.counts(batch) > 0).sum(0) for batch in kept]).sum(0)
        studies = sum(len(batch.ids) for batch in kept)
        self.frequency.copy_(inverse_frequency(seen, studies))
        super().prepare(kept)

    def counts(self, batch: StudyBatch) -> Tensor:
        """Word and word-pair counts in buckets, `[B, F]`."""
        made = torch.zeros(len(batch.ids), self.buckets)
        if batch.text is None or batch.text.words is None:
            return made
        words, mask = batch.text.words, batch.text.mask
        made.scatter_add_(1, words % self.buckets, mask.float())
        pairs = (words[:, :-1] * 1_000_003 + words[:, 1:]) % self.buckets
        made.scatter_add_(1, pairs, (mask[:, :-1] & mask[:, 1:]).float())
        return made

    def features(self, batch: StudyBatch) -> Tensor:
        """TF-IDF rows of unit length, `[B, F]`."""
        return tf_idf(self.counts(batch), self.frequency)
