"""Deletion: what answers lose with what counts most in them, and with as much at random.

Attention is an explanation only where taking away what is attended to moves the answer more than
taking away as much at random (deletion test; DeYoung: ERASER, 2020, comprehensiveness). So is the
share of an edge in an answer. Concepts and edges are tested source by source (see `removable`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.explanation.perturbation import Asked, Edges, Evidence, Memory, Removable
from experiments.loading.cohort import Cohort
from experiments.metrics.arrays import FloatArray, mean_of_defined
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.calibration import Calibration
from experiments.metrics.means import ratios
from experiments.metrics.ranking import auroc
from fusion.capabilities import Perturbs
from fusion.system import System
from kg.errors import InputError

__all__ = ["DELETED", "DRAWS", "Curve", "Point", "deletion"]

DELETED = (1, 2, 4, 8)
"""How many concepts or edges are taken away."""

DRAWS = 10
"""Random orders that are averaged."""


@dataclass(frozen=True)
class Point:
    """What is lost with so many concepts or edges.

    Args:
        deleted: How many go, or all there are where there are fewer.
        attended: Mean loss of probability of the answer given, without those most attended to, or
            the edges with the largest share.
        random: The same without as many random ones.
        difference: The first minus the second, paired by study.
        auroc_attended: Loss of macro AUROC without those that count most.
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
    """The losses of one source.

    Args:
        points: One for each number of deleted concepts or edges.
        area: Mean height between the two curves, from the first to the last number.
        studies: Studies averaged over: those that have anything to choose from.
        findings: Findings averaged over.
    """

    points: tuple[Point, ...]
    area: Estimate
    studies: int
    findings: int


def deletion(
    system: System,
    cohort: Cohort,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> dict[str, Curve]:
    """Curves of `memory`, `evidence` and `edges`, each where there is something to take away.

    Args:
        system: The trained system, in evaluation mode.
        cohort: Studies (`n`), with targets of the findings trained on.
        calibration: What validation taught.
        rng: Source of the random choices and of the resamples.
        plan: How intervals are made, over patients.

    Raises:
        InputError: If the system cannot be asked without some of what it attends to, its findings
            exclude each other, or nothing is left to take away.
    """
    if not isinstance(system, Perturbs):
        raise InputError(
            "this system answers without concepts of the graph", "ask a run of graph_fusion"
        )
    if calibration.exclusive:
        raise InputError(
            "the findings of this run exclude each other: no answer stands for itself",
            "ask a run whose findings may hold together",
        )
    asked = Asked(system, cohort, system.setting.findings, calibration)
    made = {
        name: _curve(asked, source, rng, plan)
        for name, source in _sources(asked)
        if source.free.any()
    }
    if not made:
        raise InputError(
            "nothing can be taken from this run: it attends to no concepts of the graph, and no "
            "edge of it reaches an answer",
            "ask a run with system.options.neighbourhood over 1, with text at test, or with edges",
        )
    return made


def _sources(asked: Asked) -> Iterator[tuple[str, Removable]]:
    """What is taken away, in order."""
    attention = asked.attention()
    if attention:
        yield "memory", Memory(asked, attention["memory"])
        yield "evidence", Evidence(asked, attention["evidence"])
    yield "edges", Edges(asked)


def _curve(asked: Asked, source: Removable, rng: np.random.Generator, plan: Plan) -> Curve:
    """Losses of one source, and the intervals of their means."""
    whole, says = asked.whole, asked.says
    labels, counted = asked.cohort.targets.numpy(), source.counted()
    # one order a draw: what goes first at random has gone for every larger number too
    orders = [source.weight, *(rng.random(source.free.shape) for _ in range(DRAWS))]
    losses, areas = [], []
    for number in DELETED:
        left = [source.without(_top(order, source.free, number)) for order in orders]
        lost = [np.where(says, whole - each, each - whole) for each in left]
        losses.append((lost[0], np.mean(lost[1:], axis=0)))
        area = [_area(labels, whole) - _area(labels, each) for each in left]
        areas.append((area[0], float(np.mean(area[1:]))))
    columns = np.array([(top, drawn, top - drawn) for top, drawn in losses])  # [k, 3, n, C]
    summed = (columns * counted).sum(-1)
    between = np.trapezoid(summed[:, 2], DELETED, axis=0) / (DELETED[-1] - DELETED[0])
    patients = np.asarray([study.patient for study in asked.cohort.studies], dtype=object)
    flat = np.column_stack([summed.reshape(-1, len(patients)).T, between])
    made = ratios(flat, counted.sum(1), patients, rng=rng, plan=plan)
    points = tuple(
        Point(number, top, drawn, gap, *lost)
        for number, top, drawn, gap, lost in zip(
            DELETED, made[:-1:3], made[1:-1:3], made[2:-1:3], areas, strict=True
        )
    )
    return Curve(points, made[-1], int(counted.any(1).sum()), int(counted.any(0).sum()))


def _top(weight: NDArray[np.float64], free: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """The `number` free places of each row with the largest weight; all where there are fewer."""
    order = np.argsort(np.where(free, -weight, np.inf), axis=1, kind="stable")[:, :number]
    chosen = np.zeros_like(free)
    np.put_along_axis(chosen, order, values=True, axis=1)
    taken: NDArray[np.bool_] = chosen & free
    return taken


def _area(labels: NDArray[Any], chances: FloatArray) -> float:
    """Macro AUROC over the findings that have one."""
    return float(mean_of_defined(np.asarray(auroc(labels, chances), dtype=np.float64)))
