"""Jacenkow: the indication beside the picture, in one transformer (Jacenkow 2022).

Reference: Jacenkow, O'Neil, Tsaftaris: Indication as Prior Knowledge for Multimodal Disease
Classification in Chest Radiographs with Transformers, ISBI 2022. Fidelity: paper, with losses as in
the authors' code (jacenkow/mmbt), which fine-tunes MMBT (Kiela 2019).

Image tokens and the words of the indication, which was written before the picture was taken, attend
to each other in a BERT; findings are read from its first mark. The cross-entropy of a finding
weighs the share of training studies without it, present or absent alike, as in the authors' code,
so that rare findings count a little more.

What differs, and why:
- The stream begins as a BERT where the text encoder is one; else it is small, and random.
- There is no mark between image and words, which embeddings of their kind tell apart, and the
  authors' pooling layer before the head is left out.
- The authors sum over findings and average over studies; here both are averaged.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from fusion.devices import mean_of
from fusion.layers.stream_classifier import StreamClassifier
from fusion.stage import Stage
from fusion.system import Setting

__all__ = ["Jacenkow"]


class Jacenkow(StreamClassifier):
    """MMBT on pictures and the text allowed.

    Args:
        options: Sizes.
        setting: What the run is about; needs pictures.
        stages: Stages of training.
    """

    weight: Tensor

    def __init__(
        self,
        options: StreamClassifier.Options,
        setting: Setting,
        stages: tuple[Stage, ...] = (),
    ) -> None:
        super().__init__(options, setting, stages)
        share = Tensor(setting.prevalence or (0.5,) * len(setting.findings))
        self.register_buffer("weight", 1 - share, persistent=False)

    def classification(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of stated findings, each weighed by the share without it."""
        truth = targets.nan_to_num(0.0)
        each = F.binary_cross_entropy_with_logits(logits, truth, self.weight, reduction="none")
        return mean_of(each, ~targets.isnan())
