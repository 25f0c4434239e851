"""Contrast: a study's pictures and its own report should be nearer than anybody else's."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.objectives import Forward
from fusion.system import Setting
from kg.options import Options as PartOptions

__all__ = ["Contrast"]


class Contrast(nn.Module):
    """Symmetric InfoNCE between pooled pictures and the pooled paired report.

    As in ConVIRT (Zhang et al. 2020, arXiv 2010.00747) with a learned temperature and equal
    weight both ways. Studies that lack either side are neither positives nor negatives.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            temperature: Start of the learned temperature.
        """

        temperature: float = 0.1

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.image = nn.Linear(width, width)
        self.text = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.tensor(-math.log(options.temperature)))

    def forward(self, made: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over the studies that have both; zero where fewer than two do."""
        paired = made.paired if made.paired is not None else made.text
        both = made.image.mask.any(1) & paired.mask.any(1)
        image = F.normalize(self.image(made.image.pooled), dim=-1)
        text = F.normalize(self.text(paired.pooled), dim=-1)
        near = image @ text.T * self.scale.exp().clamp(max=100)
        # a row or column without its other side is pushed out of every softmax
        near = near.masked_fill(~(both[:, None] & both[None]), -1e4)
        right = torch.arange(len(near), device=near.device)
        each = F.cross_entropy(near, right, reduction="none")
        back = F.cross_entropy(near.T, right, reduction="none")
        enough = (both.sum() > 1).to(near.dtype)
        return (0.5 * (each + back) * both).sum() / both.sum().clamp_min(1) * enough
