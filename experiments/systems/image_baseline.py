"""image_baseline: pictures alone, one backbone, its mean and one layer (yuanditang/MIMIC-CXR).

Reference: the repository github.com/yuanditang/MIMIC-CXR, its image part: ResNet-18, ResNet-50 or
VGG-16 on chest X-rays of MIMIC-CXR. Fidelity: reconstruction, from the notebooks as they were run;
there is no paper.

A convolutional backbone, the mean of its last feature map, dropout and a linear layer. As the
authors trained it, there is one binary network for each finding (`networks: one_each`); the default
is one network for all, which is what their text describes. Whatever image encoder is configured is
the backbone: on cached tokens only the layers above it train.

What differs, and why: test pictures are not mirrored or turned at random, as the authors' are, and
training pictures are turned but never mirrored, since the side of a finding is part of it. Findings
that are not stated are left out finding by finding; the authors leave out the study.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.layers.readers import encode_images
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["ImageBaseline"]


class ImageBaseline(ClassifiesTrained):
    """One backbone for all findings, or one for each.

    Args:
        options: Layers above the backbone.
        setting: What the run is about; needs pictures.
        stages: Stages of training.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            networks: One network for all findings (`shared`), or a binary one for each
                (`one_each`); the weights that a run hands on are then those of its first finding.
            hidden: Widths of the layers between the backbone and the findings; none = linear.
            dropout: Share of channels dropped before each layer.
            objective: Options of the objective `classification`.
        """

        networks: Literal["shared", "one_each"] = "shared"
        hidden: tuple[Width, ...] = ()
        dropout: ShareBelow1 = 0.5
        objective: Classification.Options = Classification.Options()

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """The authors' one stage: Adam, and a stop after three epochs without a gain."""
        adam = Part(name="adam")
        return (
            Stage(optimiser=adam, learning_rate=1e-5, weight_decay=1e-4, patience=3, warmup=0.0),
        )

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if not setting.image_width:
            raise InputError("image_baseline reads pictures alone", "set image.encoder")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        findings = len(setting.findings)
        outputs = (findings,) if options.networks == "shared" else (1,) * findings
        self.networks = nn.ModuleList(
            Network(setting, options, number, first=place == 0)
            for place, number in enumerate(outputs)
        )
        width = setting.image_width
        self.objective = Classification(options.objective, setting=setting, width=width)

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`; a study without pictures gets the bias."""
        return torch.cat([network(batch) for network in self.networks], 1)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The classification loss."""
        return {"classification": self.objective.of(self.logits(batch), batch.targets)}


class Network(nn.Module):
    """A backbone, the mean of its tokens and a perceptron.

    Args:
        setting: What the run is about.
        options: Layers above the backbone.
        outputs: Number of findings.
        first: Whether it takes the backbone of the setting; any other takes a copy.
    """

    def __init__(
        self, setting: Setting, options: ImageBaseline.Options, outputs: int, *, first: bool
    ) -> None:
        super().__init__()
        backbone = setting.image_encoder
        self.backbone = backbone if first else copy.deepcopy(backbone)
        self.shape = setting.image_tokens, setting.image_width
        widths = (setting.image_width, *options.hidden)
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Dropout(options.dropout), nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(
            *layers, nn.Dropout(options.dropout), nn.Linear(widths[-1], outputs)
        )

    def forward(self, batch: StudyBatch) -> Tensor:
        """Logits `[B, outputs]` of the mean over all tokens of a study's pictures."""
        means = encode_images(batch, self.backbone, self.shape).mean(1)
        real = batch.image_mask
        pooled = means.new_zeros(*real.shape, means.shape[1]).index_put((real,), means)
        answers: Tensor = self.head(pooled.sum(1) / real.sum(1, keepdim=True).clamp_min(1))
        return answers
