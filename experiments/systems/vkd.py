"""vkd: distils a report into a picture's latent variable by a variational bound (Sonsbeek 2021).

Reference: van Sonsbeek, Zhen, Worring, Shao: Variational Knowledge Distillation for Disease
Classification in Chest X-Rays, IPMI 2021, arXiv 2103.10825. Fidelity: paper for the objective, as
the authors' repository (tjvsonsbeek/variational-knowledge-distillation) and notes on the paper give
it; sizes are options.

The picture gives a prior of a latent variable, `p(z | image)`, its report a posterior,
`q(z | report)`. Findings are read from `z` and the picture. In training `z` is drawn from the
posterior, while the divergence of posterior from prior teaches the prior what the report knew; at
test there is no report, and `z` is the mean of the prior. The weight of `divergence` in a stage is
the bound's beta, which rises from zero to it in every cycle.

What differs, and why: the released code does not run and departs from the bound. It takes log
variance for deviation, reverses the divergence, lets attention run over the studies of a batch, and
reads findings from the prior in training too. Deviations are positive here by a softplus,
attention is over words, and the divergence is in closed form. The loss `prior`, of findings from
the prior's `z`, is added in a small weight, as otherwise nothing trains what is asked at test. To
train as the release does: `reversed: true`, `samples: 100` and a stage that weighs `prior`, `text`
and `divergence` (0.001) instead of `classification`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F
from torchvision.ops import MLP

from encoders.batch import StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.devices import mean_of
from fusion.layers.pools import masked_max
from fusion.layers.readers import ImageReader, TextReader
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, Number, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["VKD"]

LEAST_DEVIATION = 1e-3
"""Least standard deviation of a latent variable."""


class VKD(ClassifiesTrained):
    """A conditional latent variable model whose posterior reads the report.

    Args:
        options: Sizes, and how the bound is taken.
        setting: What the run is about; needs pictures and reports.
        stages: Stages of training.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of the towers of pictures and of words.
            latent: Width of the latent variable.
            hidden: Width of the layer before the latent variable, and before the findings.
            dropout: Dropout in the towers and before the findings.
            token_dropout: Share of image tokens hidden in training.
            samples: Draws of the latent variable in training, which are averaged.
            cycle: Steps of a cycle, in whose first half the weight of the divergence rises from
                zero to one; 0 = it is one throughout.
            reversed: Divergence of prior from posterior, as released, instead of the bound's.
        """

        width: Width = 128
        latent: Width = 64
        hidden: Width = 128
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2
        samples: Few = 1
        cycle: Number = 0
        reversed: bool = False

    MODULES: ClassVar = {
        "image_tower": Module("image_tower.", "image"),
        "text_tower": Module("text_tower.", "text"),
    }
    steps: Tensor

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of the bound, with the findings of the prior beside it."""
        bound = {"classification": 1.0, "prior": 0.5, "divergence": 1e-3}
        return (Stage(objectives=bound, optimiser=Part(name="adam")),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Findings by posterior, by prior and by the report alone, and the divergence."""
        return ("classification", "prior", "text", "divergence")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The report beside the pictures, in training."""
        return Needs(paired_report=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if not setting.text_width:
            raise InputError("vkd learns from reports", "give it data with reports and pictures")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, hidden, latent = options.width, options.hidden, options.latent
        findings, drop = len(setting.findings), options.dropout
        self.image_tower = ImageReader.of(
            setting, width, dropout=drop, token_dropout=options.token_dropout
        )
        encoder = setting.text_encoder
        self.text_tower = TextReader(
            setting.text_width, width, encoder=encoder, dropout=drop, pool=masked_max
        )
        self.prior = MLP(width, [hidden, 2 * latent])
        self.posterior = MLP(width, [hidden, 2 * latent])
        self.head = nn.Sequential(nn.Dropout(drop), MLP(latent + width, [hidden, findings]))
        self.text_head: nn.Module | None = None
        if any("text" in stage.objectives for stage in self.stages):
            self.text_head = MLP(latent, [hidden, findings])
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Losses of the findings, and the divergence of the two distributions of `z`."""
        if batch.paired_text is None:
            raise ValueError("the batch has no reports beside its pictures")
        image = self.image_tower(batch).pooled
        text = self.text_tower(batch.paired_text)
        prior, posterior = gaussian(self.prior(image)), gaussian(self.posterior(text.pooled))
        told = text.mask.any(1, keepdim=True)
        foreseen, learnt = self._drawn(prior), self._drawn(posterior)
        made = {
            # without a report there is no posterior, and the picture must do
            "classification": lambda: self._loss(
                batch, self._findings(image, torch.where(told, learnt, foreseen))
            ),
            "prior": lambda: self._loss(batch, self._findings(image, foreseen)),
            "text": lambda: self._loss(batch, self.text_head(learnt)),  # type: ignore[misc]
            "divergence": lambda: self.annealed * self._divergence(posterior, prior, told[:, 0]),
        }
        return {name: made[name]() for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings by the pictures alone, `[B, C]`."""
        image = self.image_tower(batch).pooled
        return self._findings(image, gaussian(self.prior(image)).mean)

    def after_step(self) -> None:
        """Count steps, for the cycles of the divergence's weight."""
        self.steps += 1

    @property
    def annealed(self) -> Tensor:
        """Weight of the divergence at this step, from 0 to 1."""
        if not self.options.cycle:
            return torch.ones_like(self.steps, dtype=torch.float32)
        done = self.steps % self.options.cycle / self.options.cycle
        return (2 * done).clamp_max(1.0)

    def _divergence(self, posterior: Normal, prior: Normal, told: Tensor) -> Tensor:
        """Mean divergence of posterior and prior over the studies with a report."""
        pair = (prior, posterior) if self.options.reversed else (posterior, prior)
        return mean_of(divergence(*pair), told)

    def _drawn(self, of: Normal) -> Tensor:
        """Mean of some draws, with gradient."""
        return of.rsample((self.options.samples,)).mean(0)

    def _findings(self, image: Tensor, latent: Tensor) -> Tensor:
        answers: Tensor = self.head(torch.cat([latent, image], 1))
        return answers

    def _loss(self, batch: StudyBatch, logits: Tensor) -> Tensor:
        return self.objective.of(logits, batch.targets)


def gaussian(values: Tensor) -> Normal:
    """Independent normal distributions `[B, L]` of values `[B, 2 * L]`, in full precision."""
    mean, raw = values.float().chunk(2, 1)
    return Normal(mean, F.softplus(raw) + LEAST_DEVIATION)


def divergence(one: Normal, other: Normal) -> Tensor:
    """Kullback-Leibler divergence of one distribution from another, `[B]`."""
    return kl_divergence(one, other).sum(1)
