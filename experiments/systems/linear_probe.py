"""linear_probe: logistic regression on the frozen image tower of another run (linear probing).

The image tower is taken over by `start:` from a finished run whose system has one; nothing of it is
trained here. Scikit-learn fits one logistic regression a finding on its pooled vectors, so that a
probe costs seconds. Without `start:` the tower is as it was drawn: the control of a probe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.systems._logistic import LogisticOptions, LogisticSystem
from fusion.layers.readers import ImageReader
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Width

__all__ = ["LinearProbe"]


class LinearProbe(LogisticSystem):
    """Logistic regression on what an image tower makes of a study's pictures.

    Args:
        options: Width of the tower and strength of the regularisation.
        setting: What the run is about; needs pictures.
    """

    class Options(LogisticOptions):
        """Options of the probe.

        Args:
            width: Width of the tower, as in the run it is taken from.
        """

        width: Width = 128

    MODULES: ClassVar[Mapping[str, Module]] = {"image_tower": Module("image_tower.", "image")}

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, options.width)
        self.image_tower = ImageReader.of(setting, options.width).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Change the mode of all but the tower, whose statistics stay."""
        super().train(mode)
        self.image_tower.eval()
        return self

    @torch.no_grad()
    def features(self, batch: StudyBatch) -> Tensor:
        """The tower's pooled vectors, `[B, D]`; zeros without pictures."""
        pooled: Tensor = self.image_tower(batch).pooled
        return pooled
