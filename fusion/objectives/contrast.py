"""Contrast: contrastive loss between a study's images and its own report."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.losses.info_nce import info_nce
from fusion.objectives import Forward
from fusion.system import Setting
from kg.bounds import Positive
from kg.options import Options as PartOptions

__all__ = ["Contrast"]


class Contrast(nn.Module):
    """Symmetric InfoNCE between pooled images and the pooled paired report.

    As in ConVIRT (Zhang et al. 2020, arXiv 2010.00747) with a learned temperature and equal
    weight both ways. Studies without either side are neither positives nor negatives.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            temperature: Start of the learned temperature.
        """

        temperature: Positive = 0.1

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.image = nn.Linear(width, width)
        self.text = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.tensor(-math.log(options.temperature)))

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over the studies with both; zero where fewer than two have both."""
        paired = output.paired if output.paired is not None else output.text
        both = output.image.mask.any(1) & paired.mask.any(1)
        image = F.normalize(self.image(output.image.pooled), dim=-1)
        text = F.normalize(self.text(paired.pooled), dim=-1)
        return info_nce(image, text, scale=self.scale.exp().clamp(max=100), mask=both)
