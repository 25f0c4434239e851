"""Raw probabilities of a system for studies, and their mean AUROC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.batch import StudyBatch
from experiments.metrics.arrays import FloatArray
from experiments.metrics.ranking import auroc
from fusion.capabilities import Classifies, able
from fusion.system import System
from kg.errors import RunDiverged

__all__ = ["evaluating", "macro_auroc", "probabilities"]


@contextmanager
def evaluating(system: System) -> Iterator[None]:
    """Evaluation mode of a system, and at the end the mode that it had before."""
    was_training = system.training
    system.eval()
    try:
        yield
    finally:
        system.train(was_training)


@torch.no_grad()
def probabilities(
    system: System,
    batches: Iterable[StudyBatch],
    findings: tuple[str, ...],
    *,
    exclusive: bool,
) -> FloatArray:
    """Raw probabilities `[n, C]` of a system in evaluation mode; NaN where not possible.

    Args:
        system: The system.
        batches: The studies.
        findings: Concept ids of the requested findings.
        exclusive: Softmax over the findings instead of a sigmoid for each.

    Raises:
        InputError: If the system does not classify.
        RunDiverged: If its outputs are not numbers.
    """
    classifier: Classifies = able(system, Classifies)
    device = next(system.parameters()).device
    rows = []
    with evaluating(system):
        for batch in batches:
            logits = classifier.predict(batch.to(device), findings).logits.double()
            rows.append(logits.softmax(1) if exclusive else logits.sigmoid())
    if not rows:
        return np.zeros((0, len(findings)))
    array: FloatArray = torch.cat(rows).cpu().numpy()
    possible = [classifier.basis(finding) != "not_possible" for finding in findings]
    lost = int(np.isnan(array[:, possible]).any(axis=1).sum())
    if lost:
        raise RunDiverged(
            f"training diverged: the predictions of {lost} of {len(array)} studies are not numbers",
            "lower learning_rate of the stages or look at the data",
        )
    return array


def macro_auroc(labels: NDArray[Any], scores: FloatArray) -> float:
    """Mean AUROC over the findings that have both classes; NaN where none has."""
    areas = np.asarray(auroc(labels, scores), dtype=np.float64)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")
