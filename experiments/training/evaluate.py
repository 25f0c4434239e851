"""Test a finished run on other data, or on its own test part under another label set.

Findings are matched through the graph; what the run learnt from is refused; nothing is fitted here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from encoders.contents import Contents
from encoders.study import Study
from experiments.config.schema import DataSection
from experiments.datasets import DATASETS, LabelChoice
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.metrics.decisions import Thresholds
from experiments.metrics.table import MetricTable
from experiments.records.folder import RunFolder
from experiments.records.ledger import note_use
from experiments.records.predictions import (
    ScoredPart,
    evaluated_part,
    read_predictions,
    write_predictions,
)
from experiments.records.record import FindingRow
from experiments.records.studies import read_studies, scored_study, write_studies
from experiments.records.surroundings import now
from experiments.splits import locked_studies
from experiments.targets import choose_findings, label_set_of, leakage, targets
from experiments.training.agreement import agreement, uncontrolled
from experiments.training.answers import Answers, answer
from experiments.training.assemble import fingerprint, folder_of, open_dataset, wanted_studies
from experiments.training.cohort import Cohort
from experiments.training.matching import Match, match_findings
from experiments.training.measure import finding_rows, measure, measured, scored, summary
from experiments.training.readable import read_readable
from experiments.training.restore import Restored, restore
from experiments.training.seen import Seen
from experiments.training.source import StudySource
from kg.errors import InputError
from kg.graph import LabelSet

__all__ = ["evaluate_run"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wanted:
    """What is to be tested.

    Args:
        restored: The run.
        data: Data set, label set and label policy.
        choice: How the data set is labelled.
        root: Folder of the data set.
        locked: Whether the locked part is tested, and nothing else.
        home: Whether it is the very data the run was split on.
    """

    restored: Restored
    data: DataSection
    choice: LabelChoice
    root: Path
    locked: bool
    home: bool

    @property
    def fold(self) -> bool:
        """Whether it is one fold of several, so that numbers can be averaged over them."""
        return self.home and not self.locked and self.restored.experiment.split.one_of_several


def evaluate_run(
    folder: RunFolder,
    dataset: str,
    root: Path,
    *,
    labels: str | None = None,
    locked: bool = False,
    why: str = "",
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

    Returns:
        The evaluation, as the record keeps it.

    Raises:
        InputError: If nothing is left to test, or data or run are not as they must be.
    """
    restored = restore(folder)
    data, choice = _data(restored, dataset, labels)
    part, _ = open_dataset(data)
    where = folder_of(part, dataset, root, folder.path.parent / "cache")
    source = StudySource.open(part, data, where)
    everyone, where = list(source.everyone), source.root
    known = restored.manifest.assignments
    home = dataset == restored.record.dataset and any(one.study in known for one in everyone)
    wanted = _Wanted(restored, data, choice, where, locked, home)
    studies, skipped = _choose(wanted, part, everyone)
    if locked:
        _note(wanted, why)
    label_set = label_set_of(part, where, data.labels, restored.graph)
    findings = _findings(wanted, label_set, part, everyone)
    matches = match_findings(restored, findings)
    restored.reader.words.ask([*findings, *(one.asked for one in matches if one.asked)])
    cohort, rejected = read_readable(restored.reader, studies, where)
    if rejected:
        skipped["unreadable pictures"] = len(rejected)
    result, parts = _measure(wanted, cohort, matches)
    result |= {"agreement": _agreement(wanted, label_set, result["findings"], parts)}
    rare = [name for name in label_set.findings if name not in findings]
    result |= {
        "skipped": skipped,
        "too_rare": rare,
        "warnings": [*_warnings(wanted, part), *result["warnings"]],
    }
    _keep(folder, result, parts, cohort.studies)
    return result


def _data(restored: Restored, dataset: str, labels: str | None) -> tuple[DataSection, LabelChoice]:
    """The data section of the test, under one stated label policy, and the label choice.

    On its own labels a run is tested as it was; on others blank labels mean what their
    publication says.
    """
    own = restored.experiment.data
    options = own.options if dataset == own.name else {}
    part = DATASETS.load(dataset)
    first = part(part.Options(**options)).label_choices[0].name
    name = labels or (own.labels if dataset == own.name else first)
    data = own.model_copy(update={"name": dataset, "labels": name, "options": options})
    _, choice = open_dataset(data)
    if (dataset, name) != (own.name, own.labels):
        data = data.model_copy(update={"blank": choice.blank})
    return data, choice


def _findings(
    wanted: _Wanted, label_set: LabelSet, part: Any, everyone: Sequence[Study]
) -> tuple[str, ...]:
    """The findings to test: all of the label set, or on the run's own labels what it tested.

    Redacted text loses the clauses of every finding asked for, so asking for more than the run
    did would give other numbers. A fold is too small to judge which findings are too rare: there,
    as in training, those with enough positives in the whole development part are tested.
    """
    restored = wanted.restored
    if wanted.home and wanted.data.labels == restored.experiment.data.labels:
        return (*restored.reader.findings, *restored.reader.held.findings)
    if not wanted.fold:
        return label_set.findings
    shut = locked_studies(part, everyone)
    development = [study for study in everyone if study.study not in shut]
    return choose_findings(
        label_set, wanted_studies(development, wanted.data), wanted.data.at_least
    )


def _choose(
    wanted: _Wanted, part: Any, everyone: Sequence[Study]
) -> tuple[list[Study], dict[str, int]]:
    """The studies that may be scored, and how many may not, by reason.

    Raises:
        InputError: If none is left.
    """
    skipped: Counter[str] = Counter()
    shut = locked_studies(part, everyone)
    kept = []
    for study in everyone:
        reason = _not_allowed(wanted, study.study, shut)
        skipped[reason] += 1
        if not reason:
            kept.append(study)
    if kept and not wanted.home:
        seen = Seen.of(wanted.restored.folder, wanted.restored.manifest)
        contents = wanted.restored.reader.contents or Contents()
        kept, refused = seen.refuse(wanted.data.name, kept, wanted.root, contents)
        skipped.update({f"seen in training ({reason})": n for reason, n in refused.items()})
    del skipped[""]
    if not kept:
        said = ", ".join(f"{n} {reason}" for reason, n in skipped.items()) or "no study"
        raise InputError(
            f"{wanted.data.name}: nothing is left to test: {said}",
            "test other studies; the locked part is opened with --locked --why TEXT",
        )
    left = wanted_studies(kept, wanted.data)
    if len(left) < len(kept):
        skipped["without label or required input"] = len(kept) - len(left)
    return list(left), dict(skipped)


def _not_allowed(wanted: _Wanted, study: str, shut: frozenset[str]) -> str:
    """Why a study may not be scored; empty where it may."""
    if wanted.locked != (study in shut):
        return "not in the locked part" if wanted.locked else "locked"
    if not wanted.home:
        return ""
    place = wanted.restored.manifest.assignments.get(study, "")
    if place in ("train", "validation"):
        return f"seen in training ({place})"
    return "" if place in ("test", "locked") else "not in the run's split"


def _note(wanted: _Wanted, why: str) -> None:
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
    wanted: _Wanted, cohort: Cohort, matches: tuple[Match, ...]
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
        rows += [
            replace(row, temperature=degree)
            for row, degree in zip(made, given.temperatures, strict=True)
        ]
        parts.append(part)
    described = _described(wanted, cohort, matches)
    few = [row.label for row in rows if row.remark]
    described |= {
        "metrics": metrics,
        "findings": [asdict(row) for row in rows],
        "warnings": [f"too few positives to average in: {', '.join(few)}"] if few else [],
    }
    return described, parts


def _agreement(
    wanted: _Wanted, label_set: LabelSet, rows: Sequence[Mapping[str, Any]], parts: list[ScoredPart]
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
    chosen = replace(wanted.restored.calibration.thresholds, values=cuts)
    graph = uncontrolled(experiment.graph)
    found = agreement(whole, chosen, label_set, graph, seed=experiment.seed, plan=USUAL)
    return {name: asdict(measured(value)) for name, value in found.items()}


def _described(wanted: _Wanted, cohort: Cohort, matches: Sequence[Match]) -> dict[str, Any]:
    """What was tested on what, without which no number may be read."""
    restored, data, record = wanted.restored, wanted.data, wanted.restored.record
    return {
        "date": now(),
        "run": record.run,
        "system": record.system,
        "seed": record.seed,
        "trained_on": f"{record.dataset} {record.labels}",
        "dataset": data.name,
        "labels": data.labels,
        "label_source": list(wanted.choice.source),
        "label_policy": {"uncertain": data.uncertain, "blank": data.blank},
        "part": "locked" if wanted.locked else "development",
        "external": not wanted.home,
        "inputs_at_test": list(record.inputs_at_test),
        "text_policy": record.text_policy,
        "leakage": leakage(restored.experiment.text.test, wanted.choice.source),
        "split_manifest": record.split_manifest,
        "data_fingerprint": fingerprint(
            cohort.studies, wanted.root, contents=restored.reader.contents
        ),
        "studies": len(cohort),
        "patients": len({study.patient for study in cohort.studies}),
        "matches": [asdict(one) for one in matches],
        "without_equivalent": [one.finding for one in matches if one.how == "no_equivalent"],
        "not_possible": [one.finding for one in matches if one.basis == "not_possible"],
    }


def _table(
    wanted: _Wanted, cohort: Cohort, chosen: Sequence[Match], given: Answers
) -> tuple[ScoredPart, MetricTable]:
    """Probabilities and metrics of some matched findings, named as the data name them."""
    restored, data = wanted.restored, wanted.data
    findings = tuple(one.finding for one in chosen)
    truth = targets(cohort.studies, findings, data.uncertain, data.blank)
    name = evaluated_part(data.name, data.labels, chosen[0].basis, locked=wanted.locked)
    asked = replace(cohort, targets=torch.from_numpy(truth))
    part = scored(name, asked, findings, given.probabilities)
    thresholds = None
    if chosen[0].basis == "trained":
        cuts = tuple(float("nan") if cut is None else cut for cut in given.thresholds)
        before = restored.calibration.thresholds
        thresholds = Thresholds(cuts, before.rule, before.chosen_on if wanted.home else frozenset())
    whole = restored.reader.exclusive and set(given.findings) == set(restored.reader.findings)
    plan = Plan(at_least=1 if wanted.fold else data.at_least)
    seed = restored.experiment.seed
    return part, measure(part, thresholds, plan, seed, whole and thresholds is not None)


def _warnings(wanted: _Wanted, part: Any) -> list[str]:
    """What a reader must know before believing the numbers."""
    said = []
    graph = wanted.restored.graph
    names = set(part.graph_names)
    mined = sum(any(item.dataset in names for item in edge.evidence) for edge in graph.edges)
    if mined:
        said.append(
            f"{mined} edges of the run's graph hold evidence mined from {wanted.data.name}: for a "
            f"claim, train with --set graph.leave_out=[{', '.join(sorted(names))}]"
        )
    seen = Seen.of(wanted.restored.folder, wanted.restored.manifest)
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
    names = {part.part for part in parts}
    with folder.hold():
        record = folder.load_record()
        replace(record, evaluations=(*record.evaluations, result)).save(folder.record)
        if not parts:
            return
        before = read_predictions(folder.predictions) if folder.predictions.is_file() else []
        write_predictions(
            folder.predictions, [*(part for part in before if part.part not in names), *parts]
        )
        known = [row for row in read_studies(folder.studies) if row.part not in names]
        now_known = [scored_study(study, part) for part in sorted(names) for study in studies]
        write_studies(folder.studies, [*known, *now_known])
