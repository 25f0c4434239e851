"""What can be taken away from a system before it is asked again, and how much of it counts.

*Memory*: the graph around a finding, the same for every study, so what goes is chosen once a
finding, by attention averaged over the studies; the finding itself stays, and so does what
neighbours gave to its vector and what evidence is carried along edges.
*Evidence*: concepts stated by a study, chosen study by study, by attention averaged over findings;
they are gone as if the text had not stated them.
*Edges*: edges of the graph within two steps of a finding, chosen once a finding, by their share in
its answers: how the logit of the answer given moves with the edge, times the edge (gradient x
input; Ancona: Towards better understanding of gradient-based attribution, 2018), summed over the
studies. An edge that goes carries neither messages of the graph network nor evidence, in either
direction; memories stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.graph_arrays import KINDS, graph_tensors
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.arrays import FloatArray
from experiments.metrics.calibration import Calibration
from kg.model.graph import KnowledgeGraph

__all__ = ["Asked", "Edges", "Evidence", "Memory", "Removable"]

UNDECIDED = 0.5
"""Cut between yes and no where validation chose no threshold."""


@dataclass(frozen=True)
class Asked:
    """A system and what it is asked.

    Args:
        system: A system that can be asked without something (`Perturbs`).
        cohort: The studies (`n`).
        findings: The findings trained on (`C`).
        calibration: What validation taught.
    """

    system: Any
    cohort: Cohort
    findings: tuple[str, ...]
    calibration: Calibration

    def batches(self) -> Iterator[StudyBatch]:
        """The studies, in order."""
        return batches(self.cohort, range(len(self.cohort)))

    @cached_property
    def whole(self) -> FloatArray:
        """Calibrated probabilities `[n, C]` with nothing taken away."""
        return self.chances()

    @cached_property
    def says(self) -> NDArray[np.bool_]:
        """The answers given, `[n, C]`."""
        cuts = np.array(self.calibration.thresholds.values)
        return np.greater_equal(self.whole, np.where(np.isnan(cuts), UNDECIDED, cuts))

    @torch.no_grad()
    def chances(self, hidden: Tensor | None = None) -> FloatArray:
        """Calibrated probabilities `[n, C]`, without some places of memory `[C, K]`."""
        made = (
            self.system.predict(each, self.findings)
            if hidden is None
            else self.system.predict_without(each, self.findings, hidden)
            for each in self.batches()
        )
        logits = torch.cat([one.logits for one in made])
        return self.calibration.apply(logits.double().sigmoid().numpy())

    @torch.no_grad()
    def attention(self) -> Mapping[str, FloatArray]:
        """Attention on memory and evidence, `[n, C, L]`; empty where the system gives none."""
        made = [self.system.predict(each, self.findings).attention for each in self.batches()]
        names = ("memory", "evidence") if made[0] else ()
        return {name: torch.cat([one[name] for one in made]).double().numpy() for name in names}


class Removable(Protocol):
    """Something of which some can be taken away.

    Args:
        free: What may go, `[rows, places]`.
        weight: How much each counts, `[rows, places]`.
    """

    free: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities `[n, C]` without some of it, `[rows, places]`."""

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""


class Memory:
    """Places of each finding's memory; a row is a finding.

    Args:
        asked: The system and what it is asked.
        attention: `[n, C, K]`.
    """

    def __init__(self, asked: Asked, attention: FloatArray) -> None:
        self.asked = asked
        sizes = [len(asked.system.remembered(finding)) for finding in asked.findings]
        places = np.arange(attention.shape[2])
        # the first place is the finding itself
        self.free = (places > 0) & (places < np.array(sizes)[:, None])
        self.weight = attention.mean(0)

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities without some places `[C, K]`."""
        return self.asked.chances(torch.from_numpy(gone))

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""
        return _for_each_study(self.asked, self.free)


class Evidence:
    """Concepts that each study states; a row is a study.

    Args:
        asked: The system and what it is asked.
        attention: `[n, C, L]`.
    """

    def __init__(self, asked: Asked, attention: FloatArray) -> None:
        self.asked = asked
        stated = [asked.system.stated(each) for each in asked.batches()]
        self.concepts = torch.cat([each[0] for each in stated])
        self.free = torch.cat([each[1] for each in stated]).numpy()
        self.weight = attention.mean(1)[:, : self.free.shape[1]]

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities without some statements `[n, L]`."""
        evidence = self.asked.cohort.evidence
        assert evidence is not None
        kept = evidence.gather(1, self.concepts).masked_fill(torch.from_numpy(gone), 0.0)
        left = replace(self.asked.cohort, evidence=evidence.scatter(1, self.concepts, kept))
        return replace(self.asked, cohort=left).chances()

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""
        return np.tile(self.free.any(1, keepdims=True), (1, len(self.asked.findings)))


class Edges:
    """Edges around each finding (`P` in the whole graph); a row is a finding.

    Args:
        asked: The system and what it is asked.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        graph: KnowledgeGraph = asked.system.setting.graph
        ends, kinds, _, _ = graph_tensors(graph)
        self.joined, self.edge = _undirected(ends.numpy(), kinds.numpy())
        near = np.array([_near(self.joined, graph.index[finding]) for finding in asked.findings])
        shares = self._shares()
        self.weight = np.zeros(near.shape)
        np.add.at(self.weight.T, self.edge, shares.T)
        self.free = near & bool(np.any(shares))

    @torch.no_grad()
    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities, of each finding without its edges `[C, P]`."""
        scale = torch.from_numpy(~gone[:, self.edge]).float()
        asked = self.asked
        logits = torch.cat(
            [asked.system.predict_on_edges(each, asked.findings, scale) for each in asked.batches()]
        )
        return asked.calibration.apply(logits.double().sigmoid().numpy())

    def counted(self) -> NDArray[np.bool_]:
        """Answers that had anything to lose, `[n, C]`."""
        return _for_each_study(self.asked, self.free)

    def _shares(self) -> FloatArray:
        """Share of each directed edge in the answers to each finding, `[C, E]`."""
        asked = self.asked
        towards = torch.from_numpy(np.where(asked.says, 1.0, -1.0)).float()
        shares = torch.zeros(len(asked.findings), len(self.edge))
        start = 0
        for each in asked.batches():
            given = towards[start : start + len(each.ids)]
            start += len(each.ids)
            for row, finding in enumerate(asked.findings):
                scale = torch.ones(1, len(self.edge), requires_grad=True)
                logits = asked.system.predict_on_edges(each, (finding,), scale)
                total = (logits[:, 0] * given[:, row]).sum()
                (share,) = torch.autograd.grad(total, scale, allow_unused=True)
                # None where no channel of the graph is open
                shares[row] += 0.0 if share is None else share[0]
        return np.asarray(shares.double().numpy())


def _undirected(
    ends: NDArray[np.int64], kinds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both concepts of each edge `[2, P]`, and the edge that each directed one belongs to `[E]`."""
    names = [KINDS[kind].removeprefix("inverse of ") for kind in kinds.tolist()]
    relation = np.unique(names, return_inverse=True)[1] if names else kinds
    keys = np.stack([ends.min(0), ends.max(0), relation]) if names else np.zeros((3, 0), np.int64)
    edges, edge = np.unique(keys, axis=1, return_inverse=True)
    return edges[:2], edge.reshape(-1)


def _near(joined: NDArray[np.int64], here: int) -> NDArray[np.bool_]:
    """Which edges `[2, P]` are on a way of two steps to a concept."""
    touching = (joined == here).any(0)
    around = np.union1d(joined[:, touching], [here])
    return np.asarray(np.isin(joined, around).any(axis=0))


def _for_each_study(asked: Asked, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Findings that have anything to lose, for every study `[n, C]`."""
    return np.tile(np.asarray(free.any(1)), (len(asked.cohort), 1))
