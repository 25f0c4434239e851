"""Deletion: what answers lose with the concepts attended to most, and with as many random ones.

Attention is an explanation only where taking away what is attended to moves the answer more than
taking away as much at random (deletion test; DeYoung: ERASER, 2020, comprehensiveness). Two sources
are tested, each on its own. *Memory*: the graph around a finding, the same for every study, so what
goes is chosen once a finding, by attention averaged over the studies; the finding itself stays, and
so does what neighbours gave to its vector and what evidence is carried along edges.
*Evidence*: concepts stated by a study, chosen study by study, by attention averaged over findings;
they are gone as if the text had not stated them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.metrics.arrays import mean_of_defined
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.means import ratios
from experiments.metrics.ranking import auroc
from experiments.training.cohort import Cohort, batches
from experiments.training.score import Calibration, Matrix
from fusion.system import Forgets, System
from kg.errors import InputError

__all__ = ["DELETED", "DRAWS", "Curve", "Point", "deletion"]

DELETED = (1, 2, 4, 8)
"""How many concepts are taken away."""

DRAWS = 10
"""Random orders that are averaged."""

UNDECIDED = 0.5
"""Cut between yes and no where validation chose no threshold."""


@dataclass(frozen=True)
class Point:
    """What is lost with so many concepts.

    Args:
        deleted: How many go, or all there are where there are fewer.
        attended: Mean loss of probability of the answer given, without those most attended to.
        random: The same without as many random ones.
        difference: The first minus the second, paired by study.
        auroc_attended: Loss of macro AUROC without those most attended to.
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
        points: One for each number of deleted concepts.
        area: Mean height between the two curves, from the first to the last number.
        studies: Studies averaged over: those that have anything to choose from.
        findings: Findings averaged over.
    """

    points: tuple[Point, ...]
    area: Estimate
    studies: int
    findings: int


@dataclass(frozen=True)
class _Asked:
    """A system and what it is asked."""

    system: Any
    cohort: Cohort
    findings: tuple[str, ...]
    calibration: Calibration

    def batches(self) -> Iterator[StudyBatch]:
        """The studies, in order."""
        return batches(self.cohort, range(len(self.cohort)))

    def chances(self, hidden: Tensor) -> Matrix:
        """Calibrated probabilities `[n, C]` without some places of memory `[C, K]`."""
        with torch.no_grad():
            logits = [
                self.system.predict_without(each, self.findings, hidden).logits
                for each in self.batches()
            ]
        return self.calibration.apply(torch.cat(logits).double().sigmoid().numpy())

    def attention(self) -> Mapping[str, Tensor]:
        """Attention on each source, `[n, C, L]`, evidence of all batches equally long.

        Raises:
            InputError: If the system gives none.
        """
        with torch.no_grad():
            made = [self.system.predict(each, self.findings).attention for each in self.batches()]
        if not made[0]:
            raise InputError(
                "the join of this run gives no attention",
                "train with --set system.options.join.name=knowledge_attention",
            )
        return {name: torch.cat([one[name] for one in made]) for name in ("memory", "evidence")}


def deletion(
    system: System,
    cohort: Cohort,
    calibration: Calibration,
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> dict[str, Curve]:
    """Curves of `memory` and `evidence`, each where the run has something to take away.

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
    if not isinstance(system, Forgets):
        raise InputError(
            "this system does not attend to concepts of the graph", "ask a run of graph_fusion"
        )
    if calibration.exclusive:
        raise InputError(
            "the findings of this run exclude each other: no answer stands for itself",
            "ask a run whose findings may hold together",
        )
    asked = _Asked(system, cohort, system.setting.findings, calibration)
    attention = asked.attention()
    made = {}
    for name, source in (("memory", _Memory), ("evidence", _Evidence)):
        chosen = source(asked, attention[name].double().numpy())
        if chosen.free.any():
            made[name] = _curve(asked, chosen, rng, plan)
    if not made:
        raise InputError(
            "this run remembers no neighbours and its test studies state no concept",
            "ask a run with system.options.memory over 1, or text at test",
        )
    return made


class _Memory:
    """Places of each finding's memory; a row is a finding.

    Args:
        asked: The system and what it is asked.
        attention: `[n, C, K]`.
    """

    def __init__(self, asked: _Asked, attention: NDArray[np.float64]) -> None:
        self.asked = asked
        sizes = [len(asked.system.remembered(finding)) for finding in asked.findings]
        places = np.arange(attention.shape[2])
        # the first place is the finding itself
        self.free = (places > 0) & (places < np.array(sizes)[:, None])
        self.weight = attention.mean(0)

    def without(self, gone: NDArray[np.bool_]) -> Matrix:
        """Probabilities without some places `[C, K]`."""
        return self.asked.chances(torch.from_numpy(gone))

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""
        return np.tile(np.asarray(self.free.any(1)), (len(self.asked.cohort), 1))


class _Evidence:
    """Concepts that each study states; a row is a study.

    Args:
        asked: The system and what it is asked.
        attention: `[n, C, L]`.
    """

    def __init__(self, asked: _Asked, attention: NDArray[np.float64]) -> None:
        self.asked = asked
        stated = [asked.system.stated(each) for each in asked.batches()]
        self.concepts = torch.cat([each[0] for each in stated])
        self.free = torch.cat([each[1] for each in stated]).numpy()
        self.weight = attention.mean(1)[:, : self.free.shape[1]]

    def without(self, gone: NDArray[np.bool_]) -> Matrix:
        """Probabilities without some statements `[n, L]`."""
        evidence = self.asked.cohort.evidence
        assert evidence is not None
        kept = evidence.gather(1, self.concepts).masked_fill(torch.from_numpy(gone), 0.0)
        left = replace(self.asked.cohort, evidence=evidence.scatter(1, self.concepts, kept))
        hidden = torch.zeros(len(self.asked.findings), 1, dtype=torch.bool)
        return replace(self.asked, cohort=left).chances(hidden)

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""
        return np.tile(self.free.any(1, keepdims=True), (1, len(self.asked.findings)))


def _curve(
    asked: _Asked, source: _Memory | _Evidence, rng: np.random.Generator, plan: Plan
) -> Curve:
    """Losses of one source, and the intervals of their means."""
    whole = source.without(np.zeros_like(source.free))
    cuts = np.array(asked.calibration.thresholds.values)
    says = whole >= np.where(np.isnan(cuts), UNDECIDED, cuts)
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


def _area(labels: NDArray[Any], chances: Matrix) -> float:
    """Macro AUROC over the findings that have one."""
    return float(mean_of_defined(np.asarray(auroc(labels, chances), dtype=np.float64)))
