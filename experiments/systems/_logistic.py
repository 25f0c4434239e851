"""What the logistic baselines share: scikit-learn fits, torch keeps one line a finding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from encoders.batch import StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Positive
from kg.options import Options


class LogisticOptions(Options):
    """Options of a logistic baseline.

    Args:
        strength: Inverse regularisation of scikit-learn (`C`).
        balanced: Weigh classes by their inverse frequency.
        standardise: Scale features to unit deviation on training studies.
    """

    strength: Positive = 0.001
    balanced: bool = True
    standardise: bool = True


class LogisticSystem(ClassifiesTrained):
    """A system of one regression a finding on features that need no training.

    Args:
        options: How to fit.
        setting: What the run is about.
        stages: Ignored: nothing is trained by gradients.
        width: Width of the features.
    """

    def __init__(
        self, options: LogisticOptions, setting: Setting, stages: tuple[Stage, ...], width: int
    ) -> None:
        super().__init__()
        self.options, self.setting, self.stages = options, setting, ()
        self.line = nn.Linear(width, len(setting.findings))

    @abstractmethod
    def features(self, batch: StudyBatch) -> Tensor:
        """Features `[B, F]` of a batch."""

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Fit one regression a finding on the training studies."""
        kept = [(self.features(batch), batch.targets) for batch in batches]
        features = torch.cat([row[0] for row in kept])
        fit_logistic(self.line, features, torch.cat([row[1] for row in kept]), self.options)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Nothing is trained by gradients."""
        return {}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings it was fitted on, `[B, C]`."""
        logits: Tensor = self.line(self.features(batch))
        return logits

    @classmethod
    def loss_names(cls, options: LogisticOptions) -> tuple[str, ...]:
        """None: nothing is trained by gradients."""
        return ()


def fit_logistic(
    line: nn.Linear, features: Tensor, targets: Tensor, options: LogisticOptions
) -> None:
    """Fit one regression a finding and write it into `line`, scaling folded in.

    Args:
        line: Linear layer of `F` inputs and `C` outputs to overwrite.
        features: `[n, F]`.
        targets: `[n, C]`, NaN = not stated. A finding with one class gets a constant.
        options: How to fit.
    """
    mean = features.mean(0)
    deviation = features.std(0).clamp_min(1e-6) if options.standardise else torch.ones_like(mean)
    scaled = ((features - mean) / deviation).double().numpy()
    weight, bias = torch.zeros_like(line.weight), torch.zeros_like(line.bias)
    for place in range(targets.shape[1]):
        stated = ~targets[:, place].isnan().numpy()
        truth = targets[:, place].numpy()[stated].astype(int)
        if len(np.unique(truth)) < 2:
            continue
        model = LogisticRegression(
            C=options.strength,
            class_weight="balanced" if options.balanced else None,
            max_iter=2000,
        ).fit(scaled[stated], truth)
        weight[place] = torch.as_tensor(model.coef_[0]).float() / deviation
        bias[place] = float(model.intercept_[0]) - float((weight[place] * mean).sum())
    with torch.no_grad():
        line.weight.copy_(weight)
        line.bias.copy_(bias)
