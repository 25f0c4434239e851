"""Result of a plan: one row per system, measured on the same studies, beside a reference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from experiments.compare.compare import compare
from experiments.compare.records import Comparison, Difference, Printed, Seeds
from experiments.compare.runs import EnsembleRuns, depends_on_seed
from experiments.compare.tables import about
from experiments.metrics.bootstrap import USUAL
from experiments.metrics.bootstrap import Plan as Resampling
from experiments.plans.jobs import Job, stand
from experiments.plans.plan import RunPlan
from experiments.plans.schema import PlanFile
from experiments.plans.survey import fidelity
from experiments.plans.training_time import Ratio, TrainingTime
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.records.record import Measured, RunRecord
from kg.errors import InputError

__all__ = ["PlanResult", "ResultRow", "keep", "result_of"]

FILE = "plan.json"
TUNED = "{}, tuned"


@dataclass(frozen=True)
class ResultRow:
    """A system, or an ensemble of rows, with all its runs over folds and seeds.

    Args:
        name: Name of the row.
        system: Name of the system, or of those of an ensemble.
        fidelity: How near it, or what it starts from, is to its paper: `paper`, `reconstruction` or
            `interpretation`; `own` where there is none.
        state: Empty where it was measured, else the reason why not.
        seeds: Number of seeds.
        folds: Number of folds.
        inputs_at_test: Inputs of the system at test.
        text_policy: Text it could read at test.
        supervision: Supervision of its weights, those it started from included.
        leakage: `none`, `partial` or `label_source_read`.
        parameters: Number of trained parameters, of the largest run; of all runs of an ensemble.
        time: Training time as a multiple of the time reference's; None = not known.
        value: Compared metric with its interval, scores averaged over seeds first.
        by_seed: The metric with each seed alone.
        difference: Row minus reference on the same studies; None for the reference itself, and
            where it may not be taken.
        not_compared: Reason why the difference may not be taken.
        published: Published numbers, never mixed with own ones.
    """

    name: str
    system: str
    fidelity: str
    state: str = ""
    seeds: int = 0
    folds: int = 0
    inputs_at_test: tuple[str, ...] = ()
    text_policy: str = ""
    supervision: tuple[str, ...] = ()
    leakage: str = ""
    parameters: int | None = None
    time: Ratio | None = None
    value: Measured | None = None
    by_seed: Seeds = Seeds()
    difference: Difference | None = None
    not_compared: str = ""
    published: tuple[Printed, ...] = ()


@dataclass(frozen=True)
class PlanResult:
    """Result of a plan, as far as its runs are finished.

    Args:
        name: Name of the plan.
        about: Its question.
        metric: Compared metric.
        reference: Row that all others are compared with.
        time_reference: Row whose training time is 1.
        rows: One row per system and ensemble, then those of the tuned systems.
        tested: Description of studies, intervals and code, one for each comparison.
        notes: Notes for the reader.
        chosen: Chosen setting of each tuned row, with its values.
    """

    name: str
    about: str
    metric: str
    reference: str
    time_reference: str
    rows: tuple[ResultRow, ...]
    tested: tuple[str, ...]
    notes: tuple[str, ...]
    chosen: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> PlanResult:
        """The result from the values of `as_json`.

        Raises:
            InputError: If it is not the result of a plan, or is damaged.
        """
        try:
            return TypeAdapter(PlanResult).validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise InputError(
                f"plan: {where}: {first['msg'].lower()}", "make it again: kgdx experiment plan PLAN"
            ) from None


def result_of(plan: RunPlan, runs: Path, resampling: Resampling = USUAL) -> PlanResult:
    """Compare the systems of a plan whose runs are finished with its reference.

    Tuned systems are compared with the tuned reference.

    Args:
        plan: The plan.
        runs: Folder of runs.
        resampling: Resamples of the intervals.

    Raises:
        InputError: If the runs lack the compared predictions or metric.
    """
    file, choices = plan.file, plan.choices(runs)
    tuned = {TUNED.format(label): jobs for label, jobs in plan.tuned(choices).items()}
    reference = plan.rows[file.time_reference or file.reference]
    times = TrainingTime.of(runs, (job.digest for job in reference))
    groups = [
        _measured(_planned(plan, rows, called), called.format(file.reference), runs, resampling)
        for rows, called in ((plan.rows, "{}"), (tuned, TUNED))
        if rows
    ]
    comparisons = {id(one): one for each in groups for one in each.comparisons.values()}.values()
    return PlanResult(
        name=file.name,
        about=file.about,
        metric=file.metric,
        reference=file.reference,
        time_reference=file.time_reference or file.reference,
        rows=tuple(_row(label, each, times) for each in groups for label in each.planned.members),
        tested=tuple(about(one) for one in comparisons),
        notes=tuple(dict.fromkeys(note for one in comparisons for note in one.notes)),
        chosen={label: choice.about for label, choice in choices.items()},
    )


def keep(result: PlanResult, folder: Path) -> Path:
    """Write the result into the folder of a plan and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, result.as_json())
    return folder / FILE


@dataclass(frozen=True)
class _Planned:
    """Rows of a plan that have the same reference.

    Args:
        file: The plan file.
        rows: Runs of each row.
        ensembles: Names of the rows that each ensemble joins.
    """

    file: PlanFile
    rows: Mapping[str, Sequence[Job]]
    ensembles: Mapping[str, Sequence[str]]

    @property
    def members(self) -> dict[str, Sequence[str]]:
        """Rows that each row of the result consists of: itself, or those of an ensemble."""
        return {label: (label,) for label in self.rows} | dict(self.ensembles)


def _planned(plan: RunPlan, rows: Mapping[str, Sequence[Job]], called: str) -> _Planned:
    """Rows and ensembles under the names they are called by."""
    ensembles = {
        called.format(name): tuple(called.format(label) for label in of)
        for name, of in plan.ensembles.items()
    }
    whole = {name: of for name, of in ensembles.items() if set(of) <= set(rows)}
    return _Planned(plan.file, rows, whole)


@dataclass(frozen=True)
class _Finished:
    """Finished runs of a row, with their records."""

    folders: tuple[RunFolder, ...]
    records: tuple[RunRecord, ...]

    def why_not_compared(self, reference: _Finished) -> str:
        """Reason why these runs and those of the reference have no difference; empty = none."""
        if reason := self.why_apart(reference):
            return reason
        trained = all(each.trained or len(each.seeds) > 1 for each in (self, reference))
        ensemble = isinstance(self.folders, EnsembleRuns)
        return "other seeds" if trained and not ensemble and self.seeds != reference.seeds else ""

    def why_apart(self, other: _Finished) -> str:
        """What these runs and others differ in that all rows of a table share; empty = nothing."""
        one, two = self.records[0], other.records[0]
        for what, ours, theirs in (
            ("data", one.dataset, two.dataset),
            ("labels", one.labels, two.labels),
            ("inputs at test", inputs(one), inputs(two)),
        ):
            if ours != theirs:
                return f"other {what}: {ours}, not {theirs}"
        for what, own, its in (
            ("another label policy", one.label_policy, two.label_policy),
            ("another split", self._splits, other._splits),
            ("other findings", self._findings, other._findings),
        ):
            if own != its:
                return what
        return ""

    @property
    def seeds(self) -> set[int]:
        """Seeds of the runs."""
        return {record.seed for record in self.records}

    @property
    def trained(self) -> bool:
        """Whether its weights depend on the seed."""
        return any(
            depends_on_seed(folder, record.experiment.get("stages", ()))
            for folder, record in zip(self.folders, self.records, strict=True)
        )

    @property
    def together(self) -> list[list[RunRecord]]:
        """Records of what predicts a study, once for each fold and seed (see `TrainingTime`)."""
        if not isinstance(self.folders, EnsembleRuns):
            return [[record] for record in self.records]
        by_fold: dict[str, list[RunRecord]] = {}
        for record in self.records:
            by_fold.setdefault(record.split_manifest, []).append(record)
        return list(by_fold.values())

    @property
    def _splits(self) -> set[str]:
        return {record.split_manifest for record in self.records}

    @property
    def _findings(self) -> set[str]:
        return {row.finding for record in self.records for row in record.findings}


@dataclass(frozen=True)
class _Group:
    """Measured rows that have the same reference.

    Args:
        planned: The rows.
        reference: Name of the reference.
        finished: Rows all of whose runs are finished.
        states: Reason why a row was not measured.
        refused: Reason why a measured row has no difference.
        comparisons: Comparison that has a measured row.
    """

    planned: _Planned
    reference: str
    finished: Mapping[str, _Finished]
    states: Mapping[str, str]
    refused: Mapping[str, str]
    comparisons: Mapping[str, Comparison]


def _measured(planned: _Planned, reference: str, runs: Path, resampling: Resampling) -> _Group:
    """Measure finished rows, those that may be compared with the reference together."""
    finished, states = _finished(planned, runs)
    beside = finished.get(reference)
    refused = {
        label: own.why_not_compared(beside) if beside else "the reference is not finished"
        for label, own in finished.items()
    }
    together = [label for label, reason in refused.items() if not reason]
    pairs = [(label, reference) for label in together if label != reference]
    comparisons: dict[str, Comparison] = {}
    for labels in filter(None, [together, *([label] for label in refused if refused[label])]):
        made = compare(
            {label: finished[label].folders for label in labels},
            on=planned.file.on,
            pairs=pairs if labels is together else [],
            metric=planned.file.metric,
            plan=resampling,
            keep=["published"],
        )
        comparisons |= dict.fromkeys(labels, made)
    return _Group(planned, reference, finished, states, refused, comparisons)


def _finished(planned: _Planned, runs: Path) -> tuple[dict[str, _Finished], dict[str, str]]:
    """Rows that can be measured, and the reason why each of the others can not."""
    standing = stand([job for jobs in planned.rows.values() for job in jobs], runs)
    finished, states = dict[str, _Finished](), dict[str, str]()
    for label, members in planned.members.items():
        jobs = [job for member in members for job in planned.rows[member]]
        found = (standing[job.digest] for job in jobs)
        own = [folder for state, folder in found if state == "finished" and folder is not None]
        if len(own) < len(jobs):
            states[label] = f"{len(own)} of {len(jobs)} runs finished"
            continue
        joins = label in planned.ensembles
        if joins and (reason := _why_not_joined({name: finished[name] for name in members})):
            states[label] = reason
            continue
        folders = EnsembleRuns(own) if joins else tuple(own)
        finished[label] = _Finished(folders, tuple(one.load_record() for one in own))
    return finished, states


def _why_not_joined(members: Mapping[str, _Finished]) -> str:
    """Reason why rows make no ensemble; empty = none."""
    first, *others = members.items()
    its = first[1].records[0].text_policy
    for label, one in others:
        own = one.records[0].text_policy
        other = f"other text policy: {own}, not {its}" if own != its else ""
        if reason := one.why_apart(first[1]) or other:
            return f"{label} and {first[0]}: {reason}"
    return ""


def _row(label: str, group: _Group, times: TrainingTime) -> ResultRow:
    """One row of the result."""
    firsts = [group.planned.rows[member][0] for member in group.planned.members[label]]
    systems = [[one.experiment.system.name for one in (job, *job.parents)] for job in firsts]
    bare = ResultRow(
        label, _joined(each[0] for each in systems), _joined(fidelity(*each) for each in systems)
    )
    if label in group.states:
        return replace(bare, state=group.states[label])
    own, comparison = group.finished[label], group.comparisons[label]
    entry, reason = comparison.entry(label), group.refused[label]
    differences = comparison.between(label, group.reference)
    supervision = (word for record in own.records for word in record.supervision)
    return replace(
        bare,
        seeds=len(entry.seeds),
        folds=len(entry.folds),
        inputs_at_test=entry.inputs_at_test,
        text_policy=entry.text_policy,
        supervision=tuple(dict.fromkeys(supervision)),
        leakage=entry.leakage,
        parameters=entry.parameters,
        time=times.ratio(own.together),
        value=entry.metrics[comparison.metric],
        by_seed=entry.by_seed,
        difference=differences[0] if differences else None,
        not_compared=reason,
        published=entry.published,
    )


def _joined(words: Iterable[str]) -> str:
    """Each word once."""
    return " + ".join(dict.fromkeys(words))


def inputs(record: RunRecord) -> str:
    """Inputs of a run at test in words."""
    return " + ".join(record.inputs_at_test) or "nothing"
