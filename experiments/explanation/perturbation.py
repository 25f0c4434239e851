"""Perturbations of a system's input for explanations: concepts or edges deleted by importance.

*Neighbourhood*: concepts around a finding in the graph, the same for every study, so they are
chosen once a finding, by attention averaged over the studies. The finding itself stays, and so do
messages from its neighbours and evidence propagated along edges.
*Evidence*: concepts stated by a study, chosen study by study, by attention averaged over findings;
they are deleted as if the text had not stated them.
*Edges*: edges of the graph within two steps of a finding, chosen once a finding, by attribution:
the gradient of the predicted answer's logit with respect to the edge, times the edge (gradient x
input; Ancona: Towards better understanding of gradient-based attribution, 2018), summed over the
studies. A deleted edge carries neither messages of the graph network nor evidence, in either
direction; neighbourhoods stay as they are.
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

__all__ = [
    "Probe",
    "EdgePerturbation",
    "EvidencePerturbation",
    "NeighbourhoodPerturbation",
    "Perturbation",
]

UNDECIDED = 0.5
"""Decision threshold where validation chose none."""


@dataclass(frozen=True)
class Probe:
    """A system under test, with the studies and findings it is tested on.

    Args:
        system: A system that predicts without some of its input (`Perturbs`).
        cohort: The studies (`n`).
        findings: The findings trained on (`C`).
        calibration: Temperatures and thresholds chosen on validation.
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
        """Calibrated probabilities `[n, C]` with nothing deleted."""
        return self.probabilities()

    @cached_property
    def predicted(self) -> NDArray[np.bool_]:
        """Predicted answers, `[n, C]`."""
        cuts = np.array(self.calibration.thresholds.values)
        return np.greater_equal(self.whole, np.where(np.isnan(cuts), UNDECIDED, cuts))

    @torch.no_grad()
    def probabilities(self, hidden: Tensor | None = None) -> FloatArray:
        """Calibrated probabilities `[n, C]`, without some neighbours `[C, K]`."""
        outputs = (
            self.system.predict(each, self.findings)
            if hidden is None
            else self.system.predict_without(each, self.findings, hidden)
            for each in self.batches()
        )
        logits = torch.cat([output.logits for output in outputs])
        return self.calibration.apply(logits.double().sigmoid().numpy())

    @torch.no_grad()
    def attention(self) -> Mapping[str, FloatArray]:
        """Attention on neighbours and evidence, `[n, C, L]`; empty where the system gives none."""
        maps = [self.system.predict(each, self.findings).attention for each in self.batches()]
        names = ("memory", "evidence") if maps[0] else ()
        return {name: torch.cat([one[name] for one in maps]).double().numpy() for name in names}


class Perturbation(Protocol):
    """Deletion of some concepts or edges from the input.

    Args:
        free: True on those that may be deleted, `[rows, places]`.
        weight: Importance of each, `[rows, places]`.
    """

    free: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities `[n, C]` without the deleted ones, `[rows, places]`."""

    def counted(self) -> NDArray[np.bool_]:
        """Answers with anything to delete, `[n, C]`."""


class NeighbourhoodPerturbation:
    """Neighbours of each finding in the graph; a row is a finding.

    Args:
        probe: The system under test.
        attention: `[n, C, K]`.
    """

    def __init__(self, probe: Probe, attention: FloatArray) -> None:
        self.probe = probe
        sizes = [len(probe.system.neighbours(finding)) for finding in probe.findings]
        places = np.arange(attention.shape[2])
        # the first place is the finding itself
        self.free = (places > 0) & (places < np.array(sizes)[:, None])
        self.weight = attention.mean(0)

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities without some neighbours `[C, K]`."""
        return self.probe.probabilities(torch.from_numpy(gone))

    def counted(self) -> NDArray[np.bool_]:
        """Answers with anything to delete, `[n, C]`."""
        return _for_each_study(self.probe, self.free)


class EvidencePerturbation:
    """Concepts that each study states; a row is a study.

    Args:
        probe: The system under test.
        attention: `[n, C, L]`.
    """

    def __init__(self, probe: Probe, attention: FloatArray) -> None:
        self.probe = probe
        stated = [probe.system.stated(each) for each in probe.batches()]
        self.concepts = torch.cat([each[0] for each in stated])
        self.free = torch.cat([each[1] for each in stated]).numpy()
        self.weight = attention.mean(1)[:, : self.free.shape[1]]

    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities without some statements `[n, L]`."""
        evidence = self.probe.cohort.evidence
        assert evidence is not None
        kept = evidence.gather(1, self.concepts).masked_fill(torch.from_numpy(gone), 0.0)
        left = replace(self.probe.cohort, evidence=evidence.scatter(1, self.concepts, kept))
        return replace(self.probe, cohort=left).probabilities()

    def counted(self) -> NDArray[np.bool_]:
        """Answers with anything to delete, `[n, C]`."""
        return np.tile(self.free.any(1, keepdims=True), (1, len(self.probe.findings)))


class EdgePerturbation:
    """Edges around each finding (`P` in the whole graph); a row is a finding.

    Args:
        probe: The system under test.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        graph: KnowledgeGraph = probe.system.setting.graph
        ends, kinds, _, _ = graph_tensors(graph)
        self.joined, self.edge = _undirected(ends.numpy(), kinds.numpy())
        near = np.array([_near(self.joined, graph.index[finding]) for finding in probe.findings])
        shares = self._shares()
        self.weight = np.zeros(near.shape)
        np.add.at(self.weight.T, self.edge, shares.T)
        self.free = near & bool(np.any(shares))

    @torch.no_grad()
    def without(self, gone: NDArray[np.bool_]) -> FloatArray:
        """Probabilities of each finding without its deleted edges `[C, P]`."""
        scale = torch.from_numpy(~gone[:, self.edge]).float()
        probe = self.probe
        own = [(finding,) for finding in probe.findings]
        logits = torch.cat(
            [
                torch.cat(probe.system.predict_on_edges(each, own, scale), 1)
                for each in probe.batches()
            ]
        )
        return probe.calibration.apply(logits.double().sigmoid().numpy())

    def counted(self) -> NDArray[np.bool_]:
        """Answers with anything to delete, `[n, C]`."""
        return _for_each_study(self.probe, self.free)

    def _shares(self) -> FloatArray:
        """Attribution of each finding's answers to each directed edge, `[C, E]`."""
        probe = self.probe
        towards = torch.from_numpy(np.where(probe.predicted, 1.0, -1.0)).float()
        shares = torch.zeros(len(probe.findings), len(self.edge))
        start = 0
        for each in probe.batches():
            signs = towards[start : start + len(each.ids)]
            start += len(each.ids)
            for row, finding in enumerate(probe.findings):
                scale = torch.ones(1, len(self.edge), requires_grad=True)
                (logits,) = probe.system.predict_on_edges(each, [(finding,)], scale)
                total = (logits[:, 0] * signs[:, row]).sum()
                (share,) = torch.autograd.grad(total, scale, allow_unused=True)
                # None where the system uses no edges
                shares[row] += 0.0 if share is None else share[0]
        return np.asarray(shares.double().numpy())


def _undirected(
    ends: NDArray[np.int64], kinds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both concepts of each undirected edge `[2, P]`, and the index of each directed one `[E]`."""
    names = [KINDS[kind].removeprefix("inverse of ") for kind in kinds.tolist()]
    relation = np.unique(names, return_inverse=True)[1] if names else kinds
    keys = np.stack([ends.min(0), ends.max(0), relation]) if names else np.zeros((3, 0), np.int64)
    edges, edge = np.unique(keys, axis=1, return_inverse=True)
    return edges[:2], edge.reshape(-1)


def _near(joined: NDArray[np.int64], here: int) -> NDArray[np.bool_]:
    """True for edges `[2, P]` on a path of two steps to a concept."""
    touching = (joined == here).any(0)
    around = np.union1d(joined[:, touching], [here])
    return np.asarray(np.isin(joined, around).any(axis=0))


def _for_each_study(probe: Probe, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Findings with anything to delete, for every study `[n, C]`."""
    return np.tile(np.asarray(free.any(1)), (len(probe.cohort), 1))
