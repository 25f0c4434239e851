"""Deletion metric: loss of probability without the most important input, against a random choice.

Attention explains an answer only where deleting what is attended to changes the answer more than
deleting as much at random (comprehensiveness; DeYoung: ERASER, 2020). The same holds for the
attribution to edges. Each kind of input is tested alone (see `perturbation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.explanation.perturbation import (
    EdgePerturbation,
    EvidencePerturbation,
    NeighbourhoodPerturbation,
    Perturbation,
    Probe,
)
from experiments.loading.cohort import Cohort
from experiments.metrics.arrays import FloatArray, mean_of_defined
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.calibration import Calibration
from experiments.metrics.means import ratios
from experiments.metrics.ranking import auroc
from fusion.capabilities import Perturbs
from fusion.system import System
from kg.errors import InputError

__all__ = ["DELETED", "DRAWS", "Curve", "Point", "deletion_curves"]

DELETED = (1, 2, 4, 8)
"""Numbers of deleted concepts or edges."""

DRAWS = 10
"""Number of random orders that are averaged."""


@dataclass(frozen=True)
class Point:
    """Losses at one number of deleted concepts or edges.

    Args:
        deleted: Number deleted, or all where there are fewer.
        attended: Mean loss of probability of the predicted answer, without those most attended to,
            or the edges with the largest attribution.
        random: The same without as many random ones.
        difference: The first minus the second, paired by study.
        auroc_attended: Loss of macro AUROC without the most important ones.
        auroc_random: The same without as many random ones.
    """

    deleted: int
    attended: Estimate
    random: Estimate
    difference: Estimate
    auroc_attended: float
    auroc_random: float


@dataclass(frozen=True)
class Curve:
    """Losses under one kind of perturbation.

    Args:
        points: One for each number of deleted concepts or edges.
        area: Mean height between the two curves, from the first to the last number.
        studies: Studies averaged over: those with anything to delete.
        findings: Findings averaged over.
    """

    points: tuple[Point, ...]
    area: Estimate
    studies: int
    findings: int


def deletion_curves(
    system: System,
    cohort: Cohort,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> dict[str, Curve]:
    """Curves of `memory` (graph neighbours), `evidence` and `edges`, where there are any.

    Args:
        system: The trained system, in evaluation mode.
        cohort: Studies (`n`), with targets of the findings trained on.
        calibration: Temperatures and thresholds chosen on validation.
        rng: Generator of the random choices and of the resamples.
        plan: How intervals are made, over patients.

    Raises:
        InputError: If the system cannot predict without some of its input, its findings exclude
            each other, or there is nothing to delete.
    """
    if not isinstance(system, Perturbs):
        raise InputError(
            "this system does not use concepts of the graph", "choose a run of graph_fusion"
        )
    if calibration.exclusive:
        raise InputError(
            "the findings of this run exclude each other: no answer is independent",
            "choose a run whose findings may hold together",
        )
    probe = Probe(system, cohort, system.setting.findings, calibration)
    curves = {
        name: _curve(probe, perturbation, rng, plan)
        for name, perturbation in _perturbations(probe)
        if perturbation.free.any()
    }
    if not curves:
        raise InputError(
            "this run has nothing to delete: it attends to no concepts of the graph, and no "
            "edge of it reaches an answer",
            "choose a run with system.options.neighbourhood over 1, text at test, or edges",
        )
    return curves


def _perturbations(probe: Probe) -> Iterator[tuple[str, Perturbation]]:
    """Perturbations by the name of what is deleted."""
    attention = probe.attention()
    if attention:
        yield "memory", NeighbourhoodPerturbation(probe, attention["memory"])
        yield "evidence", EvidencePerturbation(probe, attention["evidence"])
    yield "edges", EdgePerturbation(probe)


def _curve(probe: Probe, perturbation: Perturbation, rng: np.random.Generator, plan: Plan) -> Curve:
    """Losses under one perturbation, and the intervals of their means."""
    whole, predicted = probe.whole, probe.predicted
    labels, counted = probe.cohort.targets.numpy(), perturbation.counted()
    # one order a draw: what is deleted first is deleted for every larger number too
    orders = [perturbation.weight, *(rng.random(perturbation.free.shape) for _ in range(DRAWS))]
    losses, areas = [], []
    for number in DELETED:
        left = [perturbation.without(_top(order, perturbation.free, number)) for order in orders]
        lost = [np.where(predicted, whole - each, each - whole) for each in left]
        losses.append((lost[0], np.mean(lost[1:], axis=0)))
        area = [_area(labels, whole) - _area(labels, each) for each in left]
        areas.append((area[0], float(np.mean(area[1:]))))
    columns = np.array([(top, drawn, top - drawn) for top, drawn in losses])  # [k, 3, n, C]
    summed = (columns * counted).sum(-1)
    between = np.trapezoid(summed[:, 2], DELETED, axis=0) / (DELETED[-1] - DELETED[0])
    patients = np.asarray([study.patient for study in probe.cohort.studies], dtype=object)
    flat = np.column_stack([summed.reshape(-1, len(patients)).T, between])
    means = ratios(flat, counted.sum(1), patients, rng=rng, plan=plan)
    points = tuple(
        Point(number, top, drawn, gap, *lost)
        for number, top, drawn, gap, lost in zip(
            DELETED, means[:-1:3], means[1:-1:3], means[2:-1:3], areas, strict=True
        )
    )
    return Curve(points, means[-1], int(counted.any(1).sum()), int(counted.any(0).sum()))


def _top(weight: NDArray[np.float64], free: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """The `number` free places of each row with the largest weight; all where there are fewer."""
    order = np.argsort(np.where(free, -weight, np.inf), axis=1, kind="stable")[:, :number]
    chosen = np.zeros_like(free)
    np.put_along_axis(chosen, order, values=True, axis=1)
    taken: NDArray[np.bool_] = chosen & free
    return taken


def _area(labels: NDArray[Any], probabilities: FloatArray) -> float:
    """Macro AUROC over the findings that have one."""
    return float(mean_of_defined(np.asarray(auroc(labels, probabilities), dtype=np.float64)))
