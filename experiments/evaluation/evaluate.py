"""Test a finished run on other data, or on its own test part under another label set.

Findings are matched through the graph; what the run learnt from is refused; nothing is fitted here.
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
from experiments.evaluation.missing_modality import Source, given, withhold
from experiments.evaluation.scope import Wanted, choose, data_of, findings_of
from experiments.inference.answers import Answers, answer
from experiments.inference.finding_matching import Match, match_findings
from experiments.inference.finding_tables import (
    finding_rows,
    keep_parts,
    measure,
    measured,
    not_averaged,
    scored,
    summary,
    with_distances,
)
from experiments.inference.graph_agreement import agreement, uncontrolled
from experiments.loading.cohort import Cohort
from experiments.loading.targets import label_set_of, leakage, targets
from experiments.loading.tolerant import read_readable
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.metrics.decisions import Thresholds
from experiments.metrics.table import MetricTable
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import RunFolder
from experiments.records.ledger import note_use
from experiments.records.predictions import (
    ScoredPart,
    evaluated_part,
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
    without: tuple[Source, ...] = (),
) -> Mapping[str, Any]:
    """Test a finished run on a data set and append the result to its record.

    Of the run's own data set only the test part is scored. Of others, studies that share an id,
    a patient or a picture with what the run learnt from are left out and counted. The locked
    part is left out, or with `locked` is all that is scored, after the use was noted.

    Args:
        folder: The run.
        dataset: Data set of the catalog.
        root: Folder that holds data sets by name, or its own.
        labels: Label set; that of the run on its own data, else the data set's first.
        locked: Test the locked part alone.
        why: Why the locked part is opened, for the ledger.
        without: Sources withheld from every study, as if it had come without.

    Returns:
        The evaluation, as the record keeps it.

    Raises:
        InputError: If nothing is left to test, or data or run are not as they must be.
    """
    restored = restore(folder)
    given(restored.experiment, without)  # refuses what cannot be withheld before anything is read
    data = data_of(restored, dataset, labels, without)
    opened = open_dataset(
        data, root, folder.path.parent / "cache", boxes=restored.preprocessor.needs.boxes
    )
    known = restored.manifest.assignments
    home = dataset == restored.record.dataset and any(one.study in known for one in opened.studies)
    wanted = Wanted(restored, data, opened, locked, home, without)
    studies, skipped = choose(wanted)
    if locked:
        _note(wanted, why)
    label_set = label_set_of(opened.dataset, opened.root, data.labels, restored.graph)
    findings = findings_of(wanted, label_set)
    matches = match_findings(restored, findings)
    restored.preprocessor.text.ask([*findings, *(one.asked for one in matches if one.asked)])
    cohort, rejected = read_readable(restored.preprocessor, studies, opened.root)
    if rejected:
        skipped["unreadable pictures"] = len(rejected)
    result, parts = _measure(wanted, withhold(cohort, without), matches)
    result |= {"agreement": _agreement(wanted, label_set, result["findings"], parts)}
    rare = [name for name in label_set.findings if name not in findings]
    result |= {
        "skipped": skipped,
        "too_rare": rare,
        "warnings": [*_warnings(wanted), *result["warnings"]],
    }
    _keep(folder, result, parts, cohort.studies)
    return result


def _note(wanted: Wanted, why: str) -> None:
    """Note the use of the locked part before anything of it is scored."""
    restored = wanted.restored
    use = {
        "run": restored.record.run,
        "config_hash": restored.record.config_hash,
        "dataset": wanted.data.name,
        "labels": wanted.data.labels,
        "manifest": restored.manifest.sha256,
        "why": why,
    }
    note_use(restored.folder.path.parent, use)


def _measure(
    wanted: Wanted, cohort: Cohort, matches: tuple[Match, ...]
) -> tuple[dict[str, Any], list[ScoredPart]]:
    """Ask, score and describe; trained and zero-shot findings are never averaged together."""
    restored = wanted.restored
    metrics: dict[str, Any] = {}
    rows: list[FindingRow] = []
    parts: list[ScoredPart] = []
    for basis in ("trained", "zero_shot"):
        chosen = tuple(one for one in matches if one.basis == basis)
        if not chosen:
            continue
        asked = tuple(one.asked or one.finding for one in chosen)
        given = answer(restored.system, cohort, asked, restored.calibration)
        part, table = _table(wanted, cohort, chosen, given)
        metrics[basis] = {name: asdict(value) for name, value in summary(table).items()}
        names = {one.finding: restored.graph.concept(one.finding).label for one in chosen}
        made = finding_rows(table, part.part, names, [basis] * len(chosen), None)
        if basis == "zero_shot":
            made = with_distances(made, restored.preprocessor.graph, restored.preprocessor.findings)
        rows += [
            replace(row, temperature=degree)
            for row, degree in zip(made, given.temperatures, strict=True)
        ]
        parts.append(part)
    described = _described(wanted, cohort, matches)
    described |= {
        "metrics": metrics,
        "findings": [asdict(row) for row in rows],
        "warnings": list(not_averaged((row.label, row.remark) for row in rows)),
    }
    return described, parts


def _agreement(
    wanted: Wanted, label_set: LabelSet, rows: Sequence[Mapping[str, Any]], parts: list[ScoredPart]
) -> dict[str, Any]:
    """How the answers on all findings agree, trained and zero-shot ones together."""
    if not parts:
        return {}
    experiment = wanted.restored.experiment
    whole = replace(
        parts[0],
        findings=tuple(name for part in parts for name in part.findings),
        labels=np.concatenate([part.labels for part in parts], axis=1),
        probabilities=np.concatenate([part.probabilities for part in parts], axis=1),
    )
    cuts = tuple(float("nan") if one["threshold"] is None else one["threshold"] for one in rows)
    chosen = replace(wanted.restored.thresholds, values=cuts)
    graph = uncontrolled(experiment.graph)
    found = agreement(whole, chosen, label_set, graph, seed=experiment.seed, plan=USUAL)
    return {name: asdict(measured(value)) for name, value in found.items()}


def _described(wanted: Wanted, cohort: Cohort, matches: Sequence[Match]) -> dict[str, Any]:
    """What was tested on what, without which no number may be read."""
    restored, data, record = wanted.restored, wanted.data, wanted.restored.record
    left = given(restored.experiment, wanted.without)
    return {
        "date": now(),
        "run": record.run,
        "system": record.system,
        "seed": record.seed,
        "trained_on": f"{record.dataset} {record.labels}",
        "dataset": data.name,
        "labels": data.labels,
        "label_source": list(wanted.opened.choice.origin),
        "label_policy": {"uncertain": data.uncertain, "blank": data.blank},
        "part": "locked" if wanted.locked else "development",
        "external": not wanted.home,
        "without": list(wanted.without),
        "inputs_at_test": list(inputs_at_test(left)),
        "text_policy": left.text.test,
        "leakage": leakage(left.text.test, wanted.opened.choice.origin),
        "split_manifest": record.split_manifest,
        "data_fingerprint": fingerprint(
            cohort.studies, wanted.opened.root, contents=restored.preprocessor.contents
        ),
        "studies": len(cohort),
        "patients": len({study.patient for study in cohort.studies}),
        "matches": [asdict(one) for one in matches],
        "without_equivalent": [one.finding for one in matches if one.how == "no_equivalent"],
        "not_possible": [one.finding for one in matches if one.basis == "not_possible"],
    }


def _table(
    wanted: Wanted, cohort: Cohort, chosen: Sequence[Match], given: Answers
) -> tuple[ScoredPart, MetricTable]:
    """Probabilities and metrics of some matched findings, named as the data name them."""
    restored, data = wanted.restored, wanted.data
    findings = tuple(one.finding for one in chosen)
    truth = targets(cohort.studies, findings, data.uncertain, data.blank)
    name = evaluated_part(
        data.name, data.labels, chosen[0].basis, locked=wanted.locked, without=wanted.without
    )
    asked = replace(cohort, targets=torch.from_numpy(truth))
    part = scored(name, asked, findings, given.probabilities)
    thresholds = None
    if chosen[0].basis == "trained":
        cuts = tuple(float("nan") if cut is None else cut for cut in given.thresholds)
        before = restored.thresholds
        thresholds = Thresholds(cuts, before.rule, before.chosen_on if wanted.home else frozenset())
    whole = restored.preprocessor.exclusive and set(given.findings) == set(
        restored.preprocessor.findings
    )
    plan = Plan(at_least=1 if wanted.fold else data.at_least)
    seed = restored.experiment.seed
    return part, measure(part, thresholds, plan, seed, whole and thresholds is not None)


def _warnings(wanted: Wanted) -> list[str]:
    """What a reader must know before believing the numbers."""
    said = []
    graph = wanted.restored.graph
    names = set(wanted.opened.dataset.graph_names)
    mined = sum(any(item.dataset in names for item in edge.evidence) for edge in graph.edges)
    if mined:
        said.append(
            f"{mined} edges of the run's graph hold evidence mined from {wanted.data.name}: for a "
            f"claim, train with --set graph.leave_out=[{', '.join(sorted(names))}]"
        )
    seen = Exposure.of(wanted.restored.folder, wanted.restored.manifest)
    if seen.hashes is None and not wanted.home:
        said.append("the run kept no hashes of its pictures: equal pictures could not be refused")
    return said


def _keep(
    folder: RunFolder,
    result: Mapping[str, Any],
    parts: Sequence[ScoredPart],
    studies: Sequence[Study],
) -> None:
    """Append the evaluation to the record, its probabilities and studies to the tables."""
    with folder.hold():
        record = folder.load_record()
        replace(record, evaluations=(*record.evaluations, result)).save(folder.record)
        if parts:
            keep_parts(folder, parts, {part.part: studies for part in parts})
