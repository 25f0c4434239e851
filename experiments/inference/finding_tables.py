"""Tables of findings: metrics with intervals by patient, as rows of a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.study import Study
from experiments.loading.cohort import Cohort
from experiments.metrics.bootstrap import ALL, Estimate, Plan
from experiments.metrics.calibration import Calibration
from experiments.metrics.decisions import Thresholds
from experiments.metrics.table import TOO_FEW, MetricTable, Row, evaluate, with_exclusive
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset, read_predictions, write_predictions
from experiments.records.record import DISTANCE, FindingRow, Measured
from experiments.records.studies import read_studies, scored_study, write_studies
from experiments.runs.build import RunContext
from kg.ask.distance import distances
from kg.model.graph import KnowledgeGraph

__all__ = [
    "finding_rows",
    "save_subsets",
    "measure",
    "measured",
    "not_averaged",
    "plan_of",
    "scored",
    "summary",
    "with_distances",
]

REPORTED = (
    *("auprc", "prevalence", "f1", "mcc", "sensitivity", "specificity", "precision", "accuracy"),
    *("brier", "ece"),
)
"""Columns of a row beside AUROC that a record keeps."""


def measure(
    subset: ScoredSubset, thresholds: Thresholds | None, plan: Plan, seed: int, exclusive: bool
) -> MetricTable:
    """Metrics of one subset, with intervals by patient."""
    rng = np.random.default_rng(seed)
    groups: Any = np.asarray(subset.patients, dtype=object)
    table = evaluate(
        subset.labels,
        subset.probabilities,
        groups,
        thresholds,
        findings=subset.findings,
        rng=rng,
        plan=plan,
    )
    if not exclusive:
        return table
    return with_exclusive(table, subset.labels, subset.probabilities, groups, rng=rng)


def scored(
    name: str, cohort: Cohort, findings: Sequence[str], values: NDArray[np.float64]
) -> ScoredSubset:
    """Probabilities of a cohort as a scored subset."""
    return ScoredSubset(
        part=name,
        studies=tuple(study.study for study in cohort.studies),
        patients=tuple(study.patient for study in cohort.studies),
        findings=tuple(findings),
        labels=cohort.targets.numpy().astype(np.float64),
        probabilities=values,
    )


def measured(estimate: Estimate, findings: int | None = None) -> Measured:
    """An estimate in the form of records: None where it is not defined."""
    return Measured.of(estimate.value, estimate.low, estimate.high, findings)


def summary(table: MetricTable) -> dict[str, Measured]:
    """Summary metrics of a table in the form of records."""
    counts = {"macro": len(table.averaged), f"macro{ALL}": table.measured}
    return {
        name: measured(value, next((n for end, n in counts.items() if name.endswith(end)), None))
        for name, value in table.metrics.items()
    }


def finding_rows(
    table: MetricTable,
    subset: str,
    labels: dict[str, str],
    basis: Sequence[str],
    calibration: Calibration | None,
) -> tuple[FindingRow, ...]:
    """Rows of a record from a table of metrics."""
    rows = []
    for place, row in enumerate(table.findings):
        temperature = None
        if calibration is not None:
            temperature = calibration.temperatures[0 if calibration.exclusive else place]
        rows.append(
            FindingRow(
                finding=row.finding,
                label=labels[row.finding],
                part=subset,
                studies=row.n,
                positives=row.positives,
                basis=basis[place],
                threshold=float(row.threshold) if np.isfinite(row.threshold) else None,
                temperature=temperature,
                metrics=_columns(row),
                remark=row.remark,
            )
        )
    return tuple(rows)


def not_averaged(remarks: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Warnings that name the findings left out of means, one for each reason.

    Args:
        remarks: Name and remark of each finding.
    """
    named: dict[str, list[str]] = {}
    for name, remark in remarks:
        named.setdefault(remark, []).append(name)
    few = f" (data.at_least changes it; auroc_macro{ALL} has those with a value)"
    return tuple(
        f"{remark} to average in: {', '.join(names)}{few if remark == TOO_FEW else ''}"
        for remark, names in named.items()
        if remark
    )


def _columns(row: Row) -> dict[str, Measured]:
    area = Estimate(row.auroc, row.auroc_low, row.auroc_high)
    return {
        "auroc": measured(area),
        **{name: measured(Estimate(getattr(row, name))) for name in REPORTED},
    }


def with_distances(
    rows: Sequence[FindingRow], graph: KnowledgeGraph, trained: Sequence[str]
) -> tuple[FindingRow, ...]:
    """Rows of zero-shot findings with their graph distance to trained findings.

    Args:
        rows: The rows.
        graph: The run's graph.
        trained: Findings trained on; `no finding` is left out.
    """
    normal = {one.no_finding for one in graph.label_sets}
    goals = [name for name in trained if name not in normal]
    return tuple(
        replace(row, metrics={**row.metrics, DISTANCE: measured(Estimate(far))})
        for row, far in zip(
            rows, distances(graph, [row.finding for row in rows], goals), strict=True
        )
    )


def plan_of(context: RunContext) -> Plan:
    """Plan of the intervals of a run's test set.

    Findings of folds were chosen by their positives among all development studies, so a fold
    leaves out none with few positives.
    """
    one_of_several = context.experiment.split.one_of_several
    return Plan(at_least=1 if one_of_several else context.experiment.data.at_least)


def save_subsets(
    folder: RunFolder, subsets: Sequence[ScoredSubset], studies: Mapping[str, Sequence[Study]]
) -> None:
    """Write scored subsets into the tables of a run, in place of those of the same name.

    Args:
        folder: The run.
        subsets: Probabilities.
        studies: Studies of each subset.
    """
    names = {subset.part for subset in subsets}
    before = read_predictions(folder.predictions) if folder.predictions.is_file() else []
    write_predictions(
        folder.predictions, [*(one for one in before if one.part not in names), *subsets]
    )
    known = [row for row in read_studies(folder.studies) if row.part not in names]
    rows = [
        scored_study(study, subset.part) for subset in subsets for study in studies[subset.part]
    ]
    write_studies(folder.studies, [*known, *rows])
