"""Agreement of a run's answers: the pairs come from the graph before any control of it."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.config.schema import GraphSection
from experiments.inference.graph_agreement import agreement, uncontrolled
from experiments.metrics.bootstrap import Plan
from experiments.metrics.decisions import Thresholds
from experiments.records.predictions import ScoredSubset
from kg.files.store import load_shipped
from kg.model.graph import KnowledgeGraph

FINDINGS = (
    "ckg:no_finding",
    "ckg:lung_opacity",
    "ckg:atelectasis",
    "ckg:consolidation",
    "ckg:pneumonia",
    "ckg:support_devices",
)
SAID = [
    # no finding, opacity, atelectasis, consolidation, pneumonia, devices
    [0.9, 0.1, 0.2, 0.1, 0.05, 0.9],  # atelectasis without opacity
    [0.2, 0.6, 0.5, 0.6, 0.7, 0.1],  # pneumonia without consolidation
    [0.8, 0.7, 0.1, 0.1, 0.10, 0.1],  # no finding, and an opacity
    [0.1, 0.1, 0.1, 0.1, 0.10, 0.8],  # a device, and neither
]


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return load_shipped()


def rates(graph: KnowledgeGraph, labels: str = "chexpert14") -> dict[str, float]:
    names = tuple(f"s{row}" for row in range(len(SAID)))
    said = np.array(SAID)
    part = ScoredSubset("test", names, names, FINDINGS, np.zeros_like(said), said)
    cuts = Thresholds((0.5,) * len(FINDINGS), "fixed", frozenset())
    made = agreement(part, cuts, graph.label_set(labels), graph, seed=0, plan=Plan(resamples=50))
    return {name: rate.value for name, rate in made.items()}


def test_pairs_are_those_of_entailment_and_of_the_sets_own_convention(
    graph: KnowledgeGraph,
) -> None:
    found = rates(graph)
    # two children of opacity in four studies, one of eight above its parent
    assert found["hierarchy_consistency"] == pytest.approx(7 / 8)
    # pneumonia under consolidation: once in four too likely
    assert found["convention_consistency"] == pytest.approx(3 / 4)
    assert found["no_finding_contradiction"] == pytest.approx(1 / 4)
    assert found["no_finding_neither"] == pytest.approx(1 / 4)


def test_a_set_without_no_finding_has_no_contradiction(graph: KnowledgeGraph) -> None:
    found = rates(graph, "zhang2020")
    assert np.isnan(found["no_finding_contradiction"])
    assert np.isnan(found["convention_consistency"])
    assert found["hierarchy_consistency"] == pytest.approx(7 / 8)


def test_every_arm_is_asked_by_the_same_graph(graph: KnowledgeGraph) -> None:
    arm = GraphSection(control="emptied", drop_relations=("is_a",), leave_out=("CheXpert",))
    assert uncontrolled(arm).fingerprint == graph.fingerprint
