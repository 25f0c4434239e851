"""Unusual pictures: distance of a picture's features to those of the training pictures.

The features of a picture are the mean of its tokens. Their distribution over the training pictures
is a Gaussian by probabilistic principal components (Tipping 1999), and the distance is that of
Mahalanobis under it (Lee: A Simple Unified Framework for Detecting Out-of-Distribution Samples,
2018). The threshold is a quantile over validation pictures; how often it is passed by the run's
own test studies, which should not be flagged, is measured and stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA

from encoders.batch import StudyBatch
from experiments.explanation.answer import Unusual
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.arrays import FloatArray, IntArray
from experiments.metrics.bootstrap import USUAL
from experiments.metrics.means import ratios
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from experiments.runs.build import RunContext
from fusion.system import System

__all__ = ["Familiar", "write_familiar"]

FILE = "familiar.safetensors"
QUANTILE = 0.98
"""Share of validation pictures at or below the threshold."""
COMPONENTS = 64
TINY = 1e-12
"""Smallest variance, of pictures that are all alike."""
PER_COMPONENT = 5
"""Training pictures for each component."""
MOST = 2000
"""Studies of a subset whose pictures are taken."""


@dataclass(frozen=True)
class Familiar:
    """Distribution of the features of training pictures.

    Args:
        mean: `[D]`.
        components: Principal directions, `[K, D]`.
        variance: Variance along each of them, `[K]`.
        rest: Variance along each other direction.
        threshold: Distance above which a picture is flagged.
        false_alarms: Share of test studies with a flagged picture, with its interval.
    """

    mean: FloatArray
    components: FloatArray
    variance: FloatArray
    rest: float
    threshold: float = np.nan
    false_alarms: Measured = Measured(None)

    @classmethod
    def fit(cls, features: FloatArray) -> Familiar:
        """Fit on features of training pictures, `[n, D]`."""
        most = max(1, min(COMPONENTS, features.shape[1] - 1, len(features) // PER_COMPONENT))
        found = PCA(most, svd_solver="full").fit(features)
        floor = max(1e-6 * float(found.explained_variance_[0]), TINY)
        return cls(
            found.mean_,
            found.components_,
            np.maximum(found.explained_variance_, floor),
            max(float(found.noise_variance_), floor),
        )

    def distances(self, features: FloatArray) -> FloatArray:
        """Mean squared distance of features `[n, D]` along a direction, 1 in expectation, `[n]`."""
        away = features - self.mean
        along = away @ self.components.T
        left = (away**2).sum(1) - (along**2).sum(1)
        total = (along**2 / self.variance).sum(1) + np.maximum(left, 0) / self.rest
        return np.asarray(total / features.shape[1])

    def of(self, system: System, batch: StudyBatch) -> Unusual | None:
        """Comparison of one study's pictures; None without a picture."""
        features, _ = picture_features(system, batch)
        if not len(features):
            return None
        found = self.distances(features)
        flagged = tuple(np.flatnonzero(found > self.threshold).tolist())
        return Unusual(float(found.max()), self.threshold, flagged, self.false_alarms)

    def save(self, folder: RunFolder) -> None:
        """Write it into the folder of its run."""
        alarms = self.false_alarms
        numbers = (self.rest, self.threshold, alarms.value, alarms.low, alarms.high)
        values = [np.nan if number is None else number for number in numbers]
        tensors = {
            "mean": self.mean,
            "components": self.components,
            "variance": self.variance,
            "numbers": np.array(values),
        }
        save_file(
            {
                name: torch.tensor(value, dtype=torch.float32).contiguous()
                for name, value in tensors.items()
            },
            folder.path / FILE,
        )

    @staticmethod
    def load(folder: RunFolder) -> Familiar | None:
        """What `save` wrote; None of a run that has none."""
        path: Path = folder.path / FILE
        if not path.is_file():
            return None
        tensors: Mapping[str, Any] = {
            name: value.double().numpy() for name, value in load_file(path).items()
        }
        rest, threshold, *alarms = tensors["numbers"].tolist()
        return Familiar(
            tensors["mean"],
            tensors["components"],
            tensors["variance"],
            rest,
            threshold,
            Measured.of(*alarms),
        )


def write_familiar(folder: RunFolder, context: RunContext) -> None:
    """Describe the training pictures of a run in its folder; nothing where they are too few."""
    context.system.eval()
    cohorts = context.cohorts
    training, _ = _features(context.system, _training_sample(context))
    validation, _ = _features(context.system, cohorts["validation"])
    if min(len(training), len(validation)) < PER_COMPONENT:
        return
    fitted = Familiar.fit(training)
    threshold = float(np.quantile(fitted.distances(validation), QUANTILE))
    features, rows = _features(context.system, cohorts["test"])
    flagged = np.zeros(len(cohorts["test"]), bool)
    flagged[rows[fitted.distances(features) > threshold]] = True
    pictured = np.isin(np.arange(len(flagged)), rows)
    patients = np.array([study.patient for study in cohorts["test"].studies], dtype=object)
    rng = np.random.default_rng(context.experiment.seed)
    (alarms,) = ratios(flagged[:, None], pictured, patients, rng=rng, plan=USUAL)
    measured = Measured.of(alarms.value, alarms.low, alarms.high)
    replace(fitted, threshold=threshold, false_alarms=measured).save(folder)


def _training_sample(context: RunContext) -> Cohort:
    """The training studies; of streamed ones at most `MOST`, read from their files."""
    cohort = context.cohorts["train"]
    if isinstance(cohort, Cohort):
        return cohort
    places = range(0, len(cohort), -(-len(cohort) // MOST))
    return context.preprocessor.read([cohort.studies[at] for at in places], context.root)


def _features(system: System, cohort: Cohort) -> tuple[FloatArray, IntArray]:
    """Features of pictures `[n, D]` of a cohort, and the place of the study of each."""
    step = -(-len(cohort) // MOST)
    places = range(0, len(cohort), step)
    found = [picture_features(system, batch) for batch in batches(cohort, places, 16)]
    features = np.concatenate([one for one, _ in found])
    rows = np.concatenate([16 * at + of for at, (_, of) in enumerate(found)])
    return features, rows * step


@torch.no_grad()
def picture_features(system: System, batch: StudyBatch) -> tuple[FloatArray, IntArray]:
    """Mean token of each picture of a batch `[n, D]`, and the row of its study."""
    there = batch.image_mask
    device = next(system.parameters()).device
    if batch.image_tokens is not None:
        tokens = batch.image_tokens[there]
    elif batch.pixels is not None and there.any():
        encoder = system.setting.image_encoder
        assert encoder is not None
        tokens = encoder(batch.pixels[there].to(device))
    else:
        return np.zeros((0, 1)), np.zeros(0, np.intp)
    return tokens.mean(1).double().cpu().numpy(), there.nonzero()[:, 0].numpy()
