"""The record of a run: what it was given when it started, what was measured when it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from experiments.config.hashing import config_hash
from experiments.config.schema import Experiment
from experiments.loading.data_source import PARTS
from experiments.loading.targets import leakage
from experiments.metrics.bootstrap import Estimate
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ZERO_SHOT
from experiments.records.record import DISTANCE, FindingRow, RunRecord
from experiments.records.surroundings import code_commit, code_version, now, package_versions
from experiments.runs.build import Assembled
from experiments.tasks.classification import (
    MeasuredRun,
    finding_rows,
    measured,
    not_averaged,
    summary,
)
from kg.ask.distance import distances
from kg.model.graph import KnowledgeGraph

__all__ = ["finished_record", "inputs_at_test", "started_record", "with_distances"]


def inputs_at_test(experiment: Experiment) -> tuple[str, ...]:
    """What a system is given at test."""
    inputs = []
    if experiment.image.encoder is not None:
        inputs.append("image" if experiment.image.recipe == "whole" else experiment.image.recipe)
    if experiment.text.test != "none":
        inputs.append(experiment.text.test)
    if experiment.metadata:
        inputs.append("metadata")
    return tuple(inputs)


def started_record(
    folder: RunFolder,
    experiment: Experiment,
    made: Assembled,
    command: str,
    before: RunRecord | None,
) -> RunRecord:
    """The record of a run that starts, or goes on from `before`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if experiment.devices > 1:
        device = f"{experiment.devices} x {device}"
    return RunRecord(
        run=folder.run,
        status="running",
        experiment=experiment.model_dump(mode="json"),
        config_hash=config_hash(experiment),
        command=command,
        version=code_version(),
        commit=code_commit(),
        packages=package_versions(),
        system=experiment.system.name,
        dataset=experiment.data.name,
        labels=experiment.data.labels,
        label_source=made.choice.source,
        label_policy={"uncertain": experiment.data.uncertain, "blank": experiment.data.blank},
        inputs_at_test=inputs_at_test(experiment),
        text_policy=experiment.text.test,
        leakage=leakage(experiment.text.test, made.choice.source),
        data_fingerprint=made.fingerprint,
        split_manifest=made.manifest.sha256,
        split_counts={part: len(made.cohorts[part]) for part in PARTS},
        graph=made.graph_use,
        seed=experiment.seed,
        device=device,
        started=before.started if before else now(),
        seconds=before.seconds if before else 0.0,
        parameters=sum(p.numel() for p in made.system.parameters() if p.requires_grad),
    )


def finished_record(
    record: RunRecord, made: Assembled, result: MeasuredRun, times: Mapping[str, float]
) -> RunRecord:
    """The record of a run that is finished."""
    table, held = result.table, made.reader.held.findings
    asked = (*made.reader.findings, *held)
    labels = {name: made.reader.graph.concept(name).label for name in asked}
    metrics = {TEST: summary(table)}
    basis = [made.system.basis(name) for name in made.reader.findings]
    rows = finding_rows(table, TEST, labels, basis, result.calibration)
    if result.zero_shot is not None:
        metrics[ZERO_SHOT] = summary(result.zero_shot)
        basis = [made.system.basis(name) for name in held]
        zero_shot = finding_rows(result.zero_shot, TEST, labels, basis, None)
        taught = made.reader.findings
        rows += with_distances(zero_shot, made.reader.graph, taught)
    return replace(
        record,
        status="finished",
        finished=now(),
        times=dict(times),
        metrics=metrics,
        findings=rows,
        warnings=not_averaged((row.finding, row.remark) for row in table.findings),
    )


def with_distances(
    rows: Sequence[FindingRow], graph: KnowledgeGraph, taught: Sequence[str]
) -> tuple[FindingRow, ...]:
    """Rows of findings answered zero-shot with their distance in the graph to those taught.

    Args:
        rows: The rows.
        graph: The run's graph.
        taught: Findings trained on; that nothing was found is none to be near to.
    """
    nothing = {one.no_finding for one in graph.label_sets}
    goals = [name for name in taught if name not in nothing]
    return tuple(
        replace(row, metrics={**row.metrics, DISTANCE: measured(Estimate(far))})
        for row, far in zip(
            rows, distances(graph, [row.finding for row in rows], goals), strict=True
        )
    )
