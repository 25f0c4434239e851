"""Measure a trained system: calibrate on validation, score the test part, keep predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.inference.answers import answer
from experiments.inference.score import Calibration, Matrix, calibrate, probabilities
from experiments.loading.cohort import Cohort, batches
from experiments.loading.targets import targets
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.decisions import Thresholds
from experiments.metrics.table import MetricTable, Row, evaluate, with_exclusive
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ZERO_SHOT, ScoredPart, write_predictions
from experiments.records.record import FindingRow, Measured
from experiments.records.studies import scored_study, write_studies
from experiments.runs.build import Assembled
from experiments.tasks._graph_agreement import agreement, uncontrolled

__all__ = [
    "MeasuredRun",
    "finding_rows",
    "measure",
    "measure_run",
    "measured",
    "score",
    "summary",
]

REPORTED = (
    *("auprc", "prevalence", "f1", "mcc", "sensitivity", "specificity", "precision", "accuracy"),
    *("brier", "ece"),
)
"""Columns of a row beside AUROC that a record keeps."""


@dataclass(frozen=True)
class MeasuredRun:
    """What a finished run measured.

    Args:
        table: Metrics on the test part.
        calibration: Temperatures and thresholds chosen on validation.
        parts: Probabilities of validation and test, and of the held-out findings.
        zero_shot: Metrics of the findings held out of training, on the test part; or None.
    """

    table: MetricTable
    calibration: Calibration
    parts: tuple[ScoredPart, ...]
    zero_shot: MetricTable | None = None


def score(made: Assembled, cohort: Cohort) -> Matrix:
    """Raw probabilities of the findings trained on."""
    return probabilities(
        made.system,
        batches(cohort, range(len(cohort))),
        made.reader.findings,
        exclusive=made.reader.exclusive,
    )


def measure_run(folder: RunFolder, made: Assembled) -> MeasuredRun:
    """Calibrate on validation, measure on test; write predictions and studies of both parts."""
    exclusive = made.reader.exclusive
    validation, test = made.cohorts["validation"], made.cohorts["test"]
    raw = score(made, validation)
    patients = [study.patient for study in validation.studies]
    calibration = calibrate(validation.targets.numpy(), raw, patients, exclusive=exclusive)
    parts: tuple[ScoredPart, ...] = (
        scored("validation", validation, made.reader.findings, calibration.apply(raw)),
        scored(TEST, test, made.reader.findings, calibration.apply(score(made, test))),
    )
    if made.reader.held.findings:
        parts = (*parts, _held_out(made, calibration))
    write_predictions(folder.predictions, parts)
    of_part = {"validation": validation.studies}
    write_studies(
        folder.studies,
        (
            scored_study(study, part.part)
            for part in parts
            for study in of_part.get(part.part, test.studies)
        ),
    )
    # findings of folds were chosen by their positives in the whole development part
    folds = made.experiment.split.one_of_several
    plan = Plan(at_least=1 if folds else made.experiment.data.at_least)
    table = measure(parts[1], calibration.thresholds, plan, made.experiment.seed, exclusive)
    agrees = agreement(
        parts[1],
        calibration.thresholds,
        made.label_set,
        uncontrolled(made.experiment.graph),
        seed=made.experiment.seed,
        plan=plan,
    )
    table = replace(table, metrics={**table.metrics, **agrees})
    zero_shot = None
    if made.reader.held.findings:
        zero_shot = measure(parts[2], None, plan, made.experiment.seed, False)
    return MeasuredRun(table, calibration, parts, zero_shot)


def _held_out(made: Assembled, calibration: Calibration) -> ScoredPart:
    """Probabilities of the findings held out of training, on the test part."""
    held, test = made.reader.held.findings, made.cohorts["test"]
    given = answer(made.system, test, held, calibration)
    data = made.experiment.data
    truth = targets(test.studies, held, data.uncertain, data.blank)
    asked = replace(test, targets=torch.from_numpy(truth))
    return scored(ZERO_SHOT, asked, held, given.probabilities)


def measure(
    part: ScoredPart, thresholds: Thresholds | None, plan: Plan, seed: int, exclusive: bool
) -> MetricTable:
    """Metrics of one part, the patient as the unit of every interval."""
    rng = np.random.default_rng(seed)
    groups: Any = np.asarray(part.patients, dtype=object)
    table = evaluate(
        part.labels,
        part.probabilities,
        groups,
        thresholds,
        findings=part.findings,
        rng=rng,
        plan=plan,
    )
    if not exclusive:
        return table
    return with_exclusive(table, part.labels, part.probabilities, groups, rng=rng)


def scored(
    name: str, cohort: Cohort, findings: Sequence[str], chances: NDArray[np.float64]
) -> ScoredPart:
    """Probabilities of a cohort as a table part."""
    return ScoredPart(
        part=name,
        studies=tuple(study.study for study in cohort.studies),
        patients=tuple(study.patient for study in cohort.studies),
        findings=tuple(findings),
        labels=cohort.targets.numpy().astype(np.float64),
        probabilities=chances,
    )


def measured(estimate: Estimate, findings: int | None = None) -> Measured:
    """An estimate as records keep it: None where it is not defined."""
    return Measured.of(estimate.value, estimate.low, estimate.high, findings)


def summary(table: MetricTable) -> dict[str, Measured]:
    """Summary metrics of a table as records keep them."""
    averaged = len(table.averaged)
    return {
        name: measured(value, averaged if name.endswith("macro") else None)
        for name, value in table.metrics.items()
    }


def finding_rows(
    table: MetricTable,
    part: str,
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
                part=part,
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
    """Warnings that name the findings no mean is over, one a reason.

    Args:
        remarks: Name and remark of each finding.
    """
    named: dict[str, list[str]] = {}
    for name, remark in remarks:
        named.setdefault(remark, []).append(name)
    return tuple(
        f"{remark} to average in: {', '.join(names)}" for remark, names in named.items() if remark
    )


def _columns(row: Row) -> dict[str, Measured]:
    area = Estimate(row.auroc, row.auroc_low, row.auroc_high)
    return {
        "auroc": measured(area),
        **{name: measured(Estimate(getattr(row, name))) for name in REPORTED},
    }
