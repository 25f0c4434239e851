"""logistic_image: class-weighted logistic regression on frozen image features (baseline).

Mean and maximum over a study's image tokens, standardised on training studies, one scikit-learn
logistic regression a finding. Metadata that the configuration names stand beside them, such as
clinical variables. No graph, no text.
"""

from __future__ import annotations

from torch import Tensor, cat

from encoders.batch import StudyBatch
from experiments.systems._logistic import LogisticOptions, LogisticSystem
from fusion.stage import Stage
from fusion.system import Setting
from kg.errors import InputError

__all__ = ["LogisticImage"]


class LogisticImage(LogisticSystem):
    """Logistic regression on pooled image tokens.

    Args:
        options: Strength of the regularisation.
        setting: What the run is about; needs cached image tokens.
    """

    class Options(LogisticOptions):
        """Options of the regression."""

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        if setting.image_encoder is not None or not setting.image_width:
            raise InputError("logistic_image reads frozen image features", "set image.frozen: true")
        super().__init__(options, setting, stages, 2 * setting.image_width + setting.facts_width)

    def features(self, batch: StudyBatch) -> Tensor:
        """Mean and maximum of each study's image tokens, then its metadata, `[B, 2 * D + F]`.

        Zeros stand for the images of a study without any.
        """
        if batch.image_tokens is None:
            raise ValueError("the batch has no cached image tokens")
        tokens = batch.image_tokens.flatten(1, 2)
        mask = batch.image_mask.repeat_interleave(batch.image_tokens.shape[2], 1)[..., None]
        mean = (tokens * mask).sum(1) / mask.sum(1).clamp_min(1)
        top = tokens.masked_fill(~mask, float("-inf")).amax(1)
        pooled = [mean, top.masked_fill(top.isinf(), 0.0)]
        if self.setting.facts_width:
            if batch.metadata is None:
                raise ValueError("the batch has no metadata")
            pooled.append(batch.metadata)
        return cat(pooled, 1)
