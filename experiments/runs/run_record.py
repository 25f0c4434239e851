"""Record of a run: its settings at the start, and its measurements at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from experiments.config.hashing import config_hash
from experiments.config.schema import Experiment
from experiments.config.weights import encoder_weights
from experiments.loading.data_source import SUBSETS
from experiments.loading.targets import leakage
from experiments.privacy.pseudonyms import is_keyed, pseudonym
from experiments.privacy.rare_words import RARE_WORDS
from experiments.records.folder import RunFolder
from experiments.records.record import Measured, RunRecord
from experiments.records.surroundings import code_commit, code_version, now, package_versions
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from fusion.capabilities import Classifies

__all__ = ["finished_record", "inputs_at_test", "started_record", "supervision"]


def inputs_at_test(experiment: Experiment) -> tuple[str, ...]:
    """Inputs of a system at test."""
    inputs = []
    if experiment.image.encoder is not None:
        inputs.append("image" if experiment.image.recipe == "whole" else experiment.image.recipe)
    if experiment.text.test != "none":
        inputs.append(experiment.text.test)
    if experiment.metadata:
        inputs.append("metadata")
    return tuple(inputs)


def supervision(context: RunContext) -> tuple[str, ...]:
    """Supervision of a run's weights, that of its parents included."""
    system, needs, sources = (
        context.system,
        context.preprocessor.needs,
        context.experiment.concept_sources,
    )
    concepts = any(stage.objectives.get("concept_supervision") for stage in system.stages)
    kinds = {
        "labels": isinstance(system, Classifies)
        and _learns_labels(system, context.preprocessor.findings),
        "reports": needs.paired_report or needs.sentences,
        "statements": needs.statements or (concepts and "stated" in sources),
        "coded": concepts and "coded" in sources,
    }
    before = {word for parent in context.parents for word in parent.record.supervision}
    return tuple(word for word, there in kinds.items() if there or word in before)


def _learns_labels(system: Classifies, findings: Sequence[str]) -> bool:
    """Whether any finding is trained on."""
    return any(system.basis(finding) == "trained" for finding in findings)


def started_record(
    folder: RunFolder,
    experiment: Experiment,
    context: RunContext,
    command: str,
    before: RunRecord | None,
) -> RunRecord:
    """Record of a run that starts, or is resumed from `before`."""
    encoders = encoder_weights(experiment)
    warnings = tuple(encoder.warning for encoder in encoders if encoder.warning)
    if is_keyed() and context.preprocessor.learns_words:
        warnings = (*warnings, RARE_WORDS)
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
        label_source=context.choice.origin,
        label_policy={"uncertain": experiment.data.uncertain, "blank": experiment.data.blank},
        inputs_at_test=inputs_at_test(experiment),
        text_policy=experiment.text.test,
        leakage=leakage(experiment.text.test, context.choice.origin),
        data_fingerprint=context.fingerprint,
        split_manifest=context.manifest.sha256,
        split_counts={subset: len(context.cohorts[subset]) for subset in SUBSETS},
        graph=context.graph_use,
        seed=experiment.seed,
        tasks=context.tasks,
        started_from=tuple(parent.started_from() for parent in context.parents),
        supervision=supervision(context),
        device=device,
        data_folder=pseudonym("file", str(context.root.absolute())),
        started=before.started if before else now(),
        seconds=before.seconds if before else 0.0,
        parameters=sum(p.numel() for p in context.system.parameters() if p.requires_grad),
        warnings=warnings,
        weights={encoder.reads: encoder.words for encoder in encoders},
    )


def finished_record(
    record: RunRecord, results: Sequence[TaskResult], times: Mapping[str, float]
) -> RunRecord:
    """Record of a finished run, with the results of its tasks."""
    metrics: dict[str, dict[str, Measured]] = {}
    for result in results:
        for subset, values in result.metrics.items():
            metrics.setdefault(subset, {}).update(values)
    return replace(
        record,
        status="finished",
        times=dict(times),
        metrics=metrics,
        findings=tuple(row for result in results for row in result.findings),
        warnings=(*record.warnings, *(text for result in results for text in result.warnings)),
    )
