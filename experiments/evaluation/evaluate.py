"""Evaluation of a finished run on other data, or on its own test set under other labels.

Findings are matched through the graph, training data are refused, and nothing is fitted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from encoders.study import Study
from experiments.evaluation.missing_modality import (
    InputModality,
    mask_modalities,
    without_modalities,
)
from experiments.evaluation.scope import EvaluationScope, choose, data_of, findings_of
from experiments.inference.answers import Answers, answer
from experiments.inference.finding_matching import Match, match_findings
from experiments.inference.finding_tables import (
    finding_rows,
    measure,
    measured,
    not_averaged,
    save_subsets,
    scored,
    summary,
    with_distances,
)
from experiments.inference.graph_agreement import agreement, uncontrolled
from experiments.loading.cohort import Cohort
from experiments.loading.targets import label_set_of, leakage, targets
from experiments.loading.tolerant import read_tolerantly
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.metrics.decisions import Thresholds
from experiments.metrics.table import MetricTable
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import RunFolder
from experiments.records.ledger import note_use
from experiments.records.predictions import (
    ScoredSubset,
    evaluation_subset,
)
from experiments.records.record import FindingRow
from experiments.records.surroundings import now
from experiments.runs.build import fingerprint
from experiments.runs.exposure import Exposure
from experiments.runs.restore import restore
from experiments.runs.run_record import inputs_at_test
from kg.model.graph import LabelSet

__all__ = ["evaluate_run"]

log = logging.getLogger(__name__)


def evaluate_run(
    folder: RunFolder,
    dataset: str,
    root: Path,
    *,
    labels: str | None = None,
    locked: bool = False,
    why: str = "",
    without: tuple[InputModality, ...] = (),
) -> Mapping[str, Any]:
    """Evaluate a finished run on a data set and append the result to its record.

    Of the run's own data set only the test set is scored. Of others, studies that share an id, a
    patient or an image with the training data are left out and counted. The locked test set is
    left out, or with `locked` it alone is scored, after its use was logged.

    Args:
        folder: The run.
        dataset: Name of the data set.
        root: Folder that holds data sets by name, or its own.
        labels: Label set; that of the run on its own data, else the data set's first.
        locked: Evaluate on the locked test set alone.
        why: Reason for using the locked test set, for the ledger.
        without: Modalities left out of every study, as if it had come without.

    Returns:
        The evaluation, as the record keeps it.

    Raises:
        InputError: If no study is left, or data or run are not as they must be.
    """
    restored = restore(folder)
    without_modalities(restored.experiment, without)  # raises before any data are read
    data = data_of(restored, dataset, labels, without)
    opened = open_dataset(
        data, root, folder.path.parent / "cache", boxes=restored.preprocessor.needs.boxes
    )
    if restored.preprocessor.reads_text and "text" not in without:
        opened.check_text()
    known = restored.manifest.assignments
    home = dataset == restored.record.dataset and any(one.study in known for one in opened.studies)
    scope = EvaluationScope(restored, data, opened, locked, home, without)
    studies, skipped = choose(scope)
    if locked:
        _note(scope, why)
    label_set = label_set_of(opened.dataset, opened.root, data.labels, restored.graph)
    findings = findings_of(scope, label_set)
    matches = match_findings(restored, findings)
    restored.preprocessor.text.redact_findings(
        [*findings, *(one.asked for one in matches if one.asked)]
    )
    cohort, rejected = read_tolerantly(restored.preprocessor, studies, opened.root)
    if rejected:
        skipped["unreadable pictures"] = len(rejected)
    result, subsets = _measure(scope, mask_modalities(cohort, without), matches)
    result |= {"agreement": _agreement(scope, label_set, result["findings"], subsets)}
    rare = [name for name in label_set.findings if name not in findings]
    result |= {
        "skipped": skipped,
        "too_rare": rare,
        "warnings": [*_warnings(scope), *result["warnings"]],
    }
    _keep(folder, result, subsets, cohort.studies)
    return result


def _note(scope: EvaluationScope, why: str) -> None:
    """Log the use of the locked test set before anything of it is scored."""
    restored = scope.restored
    use = {
        "run": restored.record.run,
        "config_hash": restored.record.config_hash,
        "dataset": scope.data.name,
        "labels": scope.data.labels,
        "manifest": restored.manifest.sha256,
        "why": why,
    }
    note_use(restored.folder.path.parent, use)


def _measure(
    scope: EvaluationScope, cohort: Cohort, matches: tuple[Match, ...]
) -> tuple[dict[str, Any], list[ScoredSubset]]:
    """Predict and score; trained and zero-shot findings are never averaged together."""
    restored = scope.restored
    metrics: dict[str, Any] = {}
    rows: list[FindingRow] = []
    subsets: list[ScoredSubset] = []
    for basis in ("trained", "zero_shot"):
        chosen = tuple(one for one in matches if one.basis == basis)
        if not chosen:
            continue
        predicted = tuple(one.asked or one.finding for one in chosen)
        answers = answer(restored.system, cohort, predicted, restored.calibration)
        subset, table = _table(scope, cohort, chosen, answers)
        metrics[basis] = {name: asdict(value) for name, value in summary(table).items()}
        names = {one.finding: restored.graph.concept(one.finding).label for one in chosen}
        table_rows = finding_rows(table, subset.part, names, [basis] * len(chosen), None)
        if basis == "zero_shot":
            table_rows = with_distances(
                table_rows, restored.preprocessor.graph, restored.preprocessor.findings
            )
        rows += [
            replace(row, temperature=degree)
            for row, degree in zip(table_rows, answers.temperatures, strict=True)
        ]
        subsets.append(subset)
    described = _described(scope, cohort, matches)
    described |= {
        "metrics": metrics,
        "findings": [asdict(row) for row in rows],
        "warnings": list(not_averaged((row.label, row.remark) for row in rows)),
    }
    return described, subsets


def _agreement(
    scope: EvaluationScope,
    label_set: LabelSet,
    rows: Sequence[Mapping[str, Any]],
    subsets: list[ScoredSubset],
) -> dict[str, Any]:
    """Agreement of the predictions with the graph, trained and zero-shot findings together."""
    if not subsets:
        return {}
    experiment = scope.restored.experiment
    whole = replace(
        subsets[0],
        findings=tuple(name for subset in subsets for name in subset.findings),
        labels=np.concatenate([subset.labels for subset in subsets], axis=1),
        probabilities=np.concatenate([subset.probabilities for subset in subsets], axis=1),
    )
    cuts = tuple(float("nan") if one["threshold"] is None else one["threshold"] for one in rows)
    chosen = replace(scope.restored.thresholds, values=cuts)
    graph = uncontrolled(experiment.graph)
    found = agreement(whole, chosen, label_set, graph, seed=experiment.seed, plan=USUAL)
    return {name: asdict(measured(value)) for name, value in found.items()}


def _described(scope: EvaluationScope, cohort: Cohort, matches: Sequence[Match]) -> dict[str, Any]:
    """Description of the evaluation: run, data set, labels, inputs, leakage and counts."""
    restored, data, record = scope.restored, scope.data, scope.restored.record
    left = without_modalities(restored.experiment, scope.without)
    return {
        "date": now(),
        "run": record.run,
        "system": record.system,
        "seed": record.seed,
        "trained_on": f"{record.dataset} {record.labels}",
        "dataset": data.name,
        "labels": data.labels,
        "label_source": list(scope.opened.choice.origin),
        "label_policy": {"uncertain": data.uncertain, "blank": data.blank},
        "part": "locked" if scope.locked else "development",
        "external": not scope.home,
        "without": list(scope.without),
        "inputs_at_test": list(inputs_at_test(left)),
        "text_policy": left.text.test,
        "leakage": leakage(left.text.test, scope.opened.choice.origin),
        "split_manifest": record.split_manifest,
        "data_fingerprint": fingerprint(
            cohort.studies, scope.opened.root, contents=restored.preprocessor.contents
        ),
        "studies": len(cohort),
        "patients": len({study.patient for study in cohort.studies}),
        "matches": [asdict(one) for one in matches],
        "without_equivalent": [one.finding for one in matches if one.how == "no_equivalent"],
        "not_possible": [one.finding for one in matches if one.basis == "not_possible"],
    }


def _table(
    scope: EvaluationScope, cohort: Cohort, chosen: Sequence[Match], answers: Answers
) -> tuple[ScoredSubset, MetricTable]:
    """Probabilities and metrics of some matched findings, named as the data name them."""
    restored, data = scope.restored, scope.data
    findings = tuple(one.finding for one in chosen)
    truth = targets(cohort.studies, findings, data.uncertain, data.blank)
    name = evaluation_subset(
        data.name, data.labels, chosen[0].basis, locked=scope.locked, without=scope.without
    )
    labelled = replace(cohort, targets=torch.from_numpy(truth))
    subset = scored(name, labelled, findings, answers.probabilities)
    thresholds = None
    if chosen[0].basis == "trained":
        cuts = tuple(float("nan") if cut is None else cut for cut in answers.thresholds)
        before = restored.thresholds
        thresholds = Thresholds(cuts, before.rule, before.chosen_on if scope.home else frozenset())
    whole = restored.preprocessor.exclusive and set(answers.findings) == set(
        restored.preprocessor.findings
    )
    plan = Plan(at_least=1 if scope.fold else data.at_least)
    seed = restored.experiment.seed
    return subset, measure(subset, thresholds, plan, seed, whole and thresholds is not None)


def _warnings(scope: EvaluationScope) -> list[str]:
    """Warnings about the validity of the numbers."""
    warnings = []
    graph = scope.restored.graph
    names = set(scope.opened.dataset.graph_names)
    mined = sum(any(item.dataset in names for item in edge.evidence) for edge in graph.edges)
    if mined:
        warnings.append(
            f"{mined} edges of the run's graph hold evidence mined from {scope.data.name}: for a "
            f"claim, train with --set graph.leave_out=[{', '.join(sorted(names))}]"
        )
    exposure = Exposure.of(scope.restored.folder, scope.restored.manifest)
    if exposure.hashes is None and not scope.home:
        warnings.append("the run kept no hashes of its images: equal images could not be refused")
    return warnings


def _keep(
    folder: RunFolder,
    result: Mapping[str, Any],
    subsets: Sequence[ScoredSubset],
    studies: Sequence[Study],
) -> None:
    """Append the evaluation to the record, its probabilities and studies to the tables."""
    with folder.hold():
        record = folder.load_record()
        replace(record, evaluations=(*record.evaluations, result)).save(folder.record)
        if subsets:
            save_subsets(folder, subsets, {subset.part: studies for subset in subsets})
