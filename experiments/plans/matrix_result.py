"""Result of a matrix: what the graph brings by each mechanism, with one primary endpoint each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from experiments.compare.compare import compare
from experiments.compare.paired import corrected
from experiments.compare.records import Comparison, Difference, Seeds
from experiments.compare.tables import about
from experiments.metrics.bootstrap import USUAL
from experiments.metrics.bootstrap import Plan as Resampling
from experiments.plans.jobs import stand
from experiments.plans.matrix import MatrixFile, Mechanism, row_name
from experiments.plans.plan import RunPlan
from experiments.plans.survey import fidelity
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from kg.errors import InputError

__all__ = ["FILE", "ArmRow", "MatrixResult", "MechanismRow", "keep", "matrix_result"]

FILE = "matrix.json"


@dataclass(frozen=True)
class ArmRow:
    """An arm of a mechanism under a setting.

    Args:
        setting: Name of the setting.
        arm: Name of the arm.
        state: Empty where all its runs are finished, else what is missing.
        value: Compared metric with its interval, scores averaged over seeds first.
        by_seed: The metric with each seed alone.
        difference: The arm with the graph minus this one on the same studies; None for that arm
            itself, and where either is not finished.
        rare: The same over rare findings minus that over common ones; None where not known.
        parameters: Number of trained parameters.
    """

    setting: str
    arm: str
    state: str = ""
    value: Measured | None = None
    by_seed: Seeds = Seeds()
    difference: Difference | None = None
    rare: Difference | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class MechanismRow:
    """A mechanism with all its arms.

    Args:
        name: Name of the row.
        says: How the graph enters, in one sentence.
        system: Name of the system.
        fidelity: How near it is to its paper.
        arms: Its arms under each setting.
        primary: The primary difference, corrected over all mechanisms; None where not finished.
        inputs_at_test: Inputs of the system at test.
        text_policy: Text it could read at test.
        supervision: Supervision of its weights.
        labels: Label set.
    """

    name: str
    says: str
    system: str
    fidelity: str
    arms: tuple[ArmRow, ...]
    primary: Difference | None = None
    inputs_at_test: tuple[str, ...] = ()
    text_policy: str = ""
    supervision: tuple[str, ...] = ()
    labels: str = ""


@dataclass(frozen=True)
class MatrixResult:
    """Result of a matrix, as far as its runs are finished.

    Args:
        name: Name of the matrix.
        about: Its question.
        metric: Compared metric.
        arm: Arm with the graph.
        minus: Arm of the primary difference.
        setting: Setting of the primary difference.
        mechanisms: Number of mechanisms that primary differences are corrected over.
        rows: One row per mechanism.
        tested: Description of studies, intervals and code, one for each comparison.
        notes: Notes for the reader.
    """

    name: str
    about: str
    metric: str
    arm: str
    minus: str
    setting: str
    mechanisms: int
    rows: tuple[MechanismRow, ...]
    tested: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> MatrixResult:
        """The result from the values of `as_json`.

        Raises:
            InputError: If it is not the result of a matrix, or is damaged.
        """
        try:
            return TypeAdapter(MatrixResult).validate_python(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise InputError(
                f"matrix: {where}: {first['msg'].lower()}",
                "make it again: kgdx experiment plan PLAN",
            ) from None


def matrix_result(
    matrix: MatrixFile, plan: RunPlan, runs: Path, resampling: Resampling = USUAL
) -> MatrixResult:
    """Compare the finished arms of each mechanism with its arm that has the graph.

    Args:
        matrix: The matrix.
        plan: Its runs.
        runs: Folder of runs.
        resampling: Resamples of the intervals.

    Raises:
        InputError: If the runs lack the compared predictions or metric.
    """
    standing = stand(plan.jobs, runs)
    folders = {
        label: [
            folder
            for state, folder in (standing[job.digest] for job in jobs)
            if state == "finished" and folder is not None
        ]
        for label, jobs in plan.rows.items()
    }
    finished = {
        label: own if len(own) == len(plan.rows[label]) else [] for label, own in folders.items()
    }
    comparisons: dict[tuple[str, str], Comparison] = {}
    for row in matrix.mechanisms:
        for setting in matrix.settings:
            done = {
                arm: own for arm in row.arms if (own := finished[row_name(row.label, arm, setting)])
            }
            if done:
                comparisons[row.label, setting] = _compared(matrix, setting, done, resampling)
    rows = [_row(matrix, row, plan, folders, comparisons) for row in matrix.mechanisms]
    end = matrix.endpoint
    return MatrixResult(
        name=matrix.name,
        about=matrix.about,
        metric=matrix.metric,
        arm=end.arm,
        minus=end.minus,
        setting=end.setting,
        mechanisms=end.mechanisms,
        rows=tuple(_over_mechanisms(rows, end.mechanisms, resampling.level)),
        tested=tuple(f"{key[0]}, {key[1]}: {about(one)}" for key, one in comparisons.items()),
        notes=tuple(dict.fromkeys(note for one in comparisons.values() for note in one.notes)),
    )


def keep(result: MatrixResult, folder: Path) -> Path:
    """Write the result into the folder of its plan and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, result.as_json())
    return folder / FILE


def _compared(
    matrix: MatrixFile, setting: str, done: Mapping[str, list[RunFolder]], resampling: Resampling
) -> Comparison:
    """Comparison of the finished arms of a mechanism under a setting."""
    end = matrix.endpoint
    pairs = [(end.arm, arm) for arm in done if arm != end.arm] if end.arm in done else []
    primary = [pair for pair in pairs if pair[1] == end.minus and setting == end.setting]
    return compare(
        done, on=matrix.on, pairs=pairs, primary=primary, metric=matrix.metric, plan=resampling
    )


def _row(
    matrix: MatrixFile,
    row: Mechanism,
    plan: RunPlan,
    folders: Mapping[str, Sequence[RunFolder]],
    comparisons: Mapping[tuple[str, str], Comparison],
) -> MechanismRow:
    """A mechanism with its arms, its primary difference not yet corrected."""
    end = matrix.endpoint
    every = {
        (setting, arm): row_name(row.label, arm, setting)
        for setting in matrix.settings
        for arm in row.arms
    }
    job = plan.rows[every[end.setting, end.arm]][0]
    systems = [one.experiment.system.name for one in (job, *job.parents)]
    arms = tuple(
        _arm(
            ArmRow(*key),
            end.arm,
            f"{len(folders[label])} of {len(plan.rows[label])} runs finished",
            comparisons.get((row.label, key[0])),
        )
        for key, label in every.items()
    )
    bare = MechanismRow(row.label, row.says, systems[0], fidelity(*systems), arms)
    first = next((own[0] for label in every.values() if (own := folders[label])), None)
    if first is None:
        return bare
    record = first.load_record()
    return replace(
        bare,
        primary=next(
            one.difference for one in arms if (one.setting, one.arm) == (end.setting, end.minus)
        ),
        inputs_at_test=record.inputs_at_test,
        text_policy=record.text_policy,
        supervision=record.supervision,
        labels=record.labels,
    )


def _arm(bare: ArmRow, reference: str, state: str, made: Comparison | None) -> ArmRow:
    """An arm with its values; with its state where it is not in the comparison."""
    if made is None or bare.arm not in {entry.name for entry in made.entries}:
        return replace(bare, state=state)
    entry = made.entry(bare.arm)
    differences = made.between(reference, bare.arm)
    rare = made.rarity.differences if made.rarity else ()
    between = [one for one in rare if one.second == bare.arm and one.over == "rare minus common"]
    return replace(
        bare,
        value=entry.metrics[made.metric],
        by_seed=entry.by_seed,
        difference=differences[0] if differences else None,
        rare=between[0] if between else None,
        parameters=entry.parameters,
    )


def _over_mechanisms(
    rows: Sequence[MechanismRow], mechanisms: int, level: float
) -> list[MechanismRow]:
    """The rows, their primary differences corrected over all mechanisms.

    One that is not finished counts as one that shows nothing, so a verdict that stands before all
    are finished stands after.
    """
    done = [row.primary for row in rows if row.primary is not None]
    if not done:
        return list(rows)
    to_come = [replace(done[0], p=1.0)] * (mechanisms - len(done))
    after = iter(corrected([*done, *to_come], level))
    return [row if row.primary is None else replace(row, primary=next(after)) for row in rows]
