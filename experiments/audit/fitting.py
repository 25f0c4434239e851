"""Out-of-fold scores of a probe: fitted on training studies, computed on test studies of a fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from experiments.audit.subject import Fold, Subject
from experiments.metrics.arrays import FloatArray
from experiments.systems._logistic import LogisticOptions, fit_logistic

__all__ = ["DenseFeatures", "SparseFeatures", "scores_of_dense", "scores_of_sparse"]

DenseFeatures = Callable[[Fold], Tensor]
"""Features of all studies `[n, F]`; anything fitted is fitted on the fold's training rows."""
SparseFeatures = Callable[[Fold], Any]
"""As `DenseFeatures`, as a sparse array."""


def scores_of_dense(
    subject: Subject, features: DenseFeatures, options: LogisticOptions, labels: FloatArray
) -> FloatArray:
    """Logits of each study from the fold that tested it, `[n, C]`.

    Args:
        subject: Studies and folds.
        features: Features that the probe reads.
        options: Options of the regressions, as in the logistic systems.
        labels: Training labels, `[n, C]`; NaN = not stated.
    """
    scores = np.full(labels.shape, np.nan)
    for fold in subject.folds:
        rows = features(fold)
        line = nn.Linear(rows.shape[1], labels.shape[1])
        truth = torch.from_numpy(labels[fold.train])
        fit_logistic(line, rows[fold.train], truth, options)
        with torch.inference_mode():
            scores[fold.test] = line(rows[fold.test]).numpy()
    return scores


def scores_of_sparse(
    subject: Subject, features: SparseFeatures, strength: float, labels: FloatArray
) -> FloatArray:
    """As `scores_of_dense`, for wide sparse features that are not standardised."""
    scores = np.full(labels.shape, np.nan)
    for fold in subject.folds:
        rows = features(fold)
        for column in range(labels.shape[1]):
            stated = fold.train[~np.isnan(labels[fold.train, column])]
            truth = labels[stated, column]
            if len(np.unique(truth)) < 2:
                scores[fold.test, column] = 0.0
                continue
            model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
            model.fit(rows[stated], truth)
            scores[fold.test, column] = model.decision_function(rows[fold.test])
    return scores
