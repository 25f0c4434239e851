"""Agreement of a run's predictions with the hierarchy of its findings in the graph.

The same graph serves every arm of an ablation: the one before any control.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.config.schema import GraphSection
from experiments.loading.graphs import choose_graph
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.decisions import Thresholds
from experiments.metrics.hierarchy import consistency, no_finding_agreement
from experiments.records.predictions import ScoredSubset
from kg.model.edges import GROUPED_UNDER
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["TOLERANCE", "agreement", "uncontrolled"]

TOLERANCE = 0.01
"""Largest excess of a narrower finding's probability over the wider one's that still agrees."""


def uncontrolled(section: GraphSection) -> KnowledgeGraph:
    """The graph of a configuration, without controls and with nothing left out."""
    plain = {"control": "none", "leave_out": (), "drop_relations": ()}
    return choose_graph(section.model_copy(update=plain), ())[0]


def agreement(
    subset: ScoredSubset,
    thresholds: Thresholds,
    label_set: LabelSet,
    graph: KnowledgeGraph,
    *,
    seed: int,
    plan: Plan,
) -> dict[str, Estimate]:
    """Agreement of the predictions of one subset; NaN where there are no pairs to compare.

    `hierarchy_consistency` is over pairs by `is_a`, `convention_consistency` over groups of the
    label set, and the shares of `no_finding_contradiction` and `no_finding_neither`
    leave out findings that may hold with No Finding (support devices).

    Args:
        subset: Calibrated probabilities.
        thresholds: Decision thresholds of the findings.
        label_set: Their label set.
        graph: The graph with the pairs.
        seed: Seed of the resamples.
        plan: Plan of the intervals.
    """
    rng, groups = np.random.default_rng(seed), np.asarray(subset.patients, dtype=object)
    measured = {
        name: consistency(
            subset.probabilities, pairs, groups, tolerance=TOLERANCE, rng=rng, plan=plan
        )
        for name, pairs in (
            ("hierarchy_consistency", _entailed(graph, subset.findings)),
            ("convention_consistency", _filed(graph, subset.findings, label_set)),
        )
    }
    none = label_set.no_finding
    if none not in subset.findings or label_set.exclusive:
        undefined = Estimate(np.nan)
        return measured | {"no_finding_contradiction": undefined, "no_finding_neither": undefined}
    apart = {none, *label_set.with_no_finding}
    abnormal = [place for place, name in enumerate(subset.findings) if name not in apart]
    rates = no_finding_agreement(
        subset.probabilities,
        thresholds.values,
        (subset.findings.index(none), abnormal),
        groups,
        rng=rng,
        plan=plan,
    )
    return measured | {f"no_finding_{name}": rate for name, rate in rates._asdict().items()}


def _entailed(graph: KnowledgeGraph, findings: Sequence[str]) -> list[tuple[int, int]]:
    """Columns of each finding and of each other finding that it entails by `is_a`."""
    place = {finding: column for column, finding in enumerate(findings)}
    return [
        (place[child], place[parent])
        for child in findings
        if child in graph.index
        for parent in graph.ancestors(child)
        if parent in place
    ]


def _filed(
    graph: KnowledgeGraph, findings: Sequence[str], label_set: LabelSet
) -> list[tuple[int, int]]:
    """Columns of each finding and of its group in the label set, where that is a finding too."""
    place = {finding: column for column, finding in enumerate(findings)}
    return [
        (place[edge.subject], place[edge.object])
        for edge in graph.edges
        if edge.relation == GROUPED_UNDER
        and edge.label_set == label_set.name
        and edge.subject in place
        and edge.object in place
    ]
