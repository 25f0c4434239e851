"""Concept supervision: the pooled image predicts which concepts the full report states."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.objectives import Forward
from fusion.system import Setting
from kg.options import Options as PartOptions

__all__ = ["ConceptSupervision"]


class ConceptSupervision(nn.Module):
    """Cross-entropy of pooled-study-by-concept dot products against the report's statements.

    It works without text at test: the report is read in training only.
    """

    class Options(PartOptions):
        """Options of the objective; there are none."""

    places: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        index = setting.graph.index
        places = Tensor([index[concept] for concept in setting.supervised]).long()
        self.register_buffer("places", places, persistent=False)

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over supervised concepts; zero without coded studies."""
        if batch.concept_targets is None or not len(self.places):
            return output.concept_logits.sum() * 0.0
        targets = batch.concept_targets[:, self.places]
        stated = ~targets.isnan()
        each = F.binary_cross_entropy_with_logits(
            output.concept_logits, targets.nan_to_num(0.0), reduction="none"
        )
        return (each * stated).mean()
