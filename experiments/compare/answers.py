"""Which answers of a run are compared: on its test part, on findings held out, on other data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.predictions import (
    TEST,
    ZERO_SHOT,
    ScoredSubset,
    evaluation_subset,
    read_predictions,
)
from experiments.records.record import DISTANCE, RunRecord
from kg.errors import InputError, did_you_mean

__all__ = ["Answers", "answers_of", "by_study", "evaluations", "own_answers"]

OWN = {"test": TEST, "zero_shot": ZERO_SHOT}
"""What is asked for by these names is in the run's own record; other names are evaluations."""
EXTERNAL = "external"


@dataclass(frozen=True)
class Answers:
    """Answers of one run, and what the system was given to answer.

    Args:
        part: Probabilities and labels, by study id and finding id.
        told: What was answered, in words.
        dataset: Data set of the studies.
        labels: Label set.
        label_source: What the labels were read from.
        label_policy: What uncertain and blank labels became.
        inputs_at_test: What the system was given.
        text_policy: Text it could read.
        leakage: `none`, `partial` or `label_source_read`.
        split_kind: How the studies were chosen: the run's kind of split, `locked` or `external`.
        shared: Whether every fold's run answers for the same studies, so that folds are averaged.
        rotation: Which group of held-out findings was answered; 0 where there is but one.
        data_fingerprint: SHA-256 over the studies.
        names: Preferred name of each finding.
        distances: Distance in the graph of each held-out finding to the nearest one taught.
        warnings: What was said of these answers when they were given.
    """

    part: ScoredSubset
    told: str
    dataset: str
    labels: str
    label_source: tuple[str, ...]
    label_policy: Mapping[str, str]
    inputs_at_test: tuple[str, ...]
    text_policy: str
    leakage: str
    split_kind: str
    shared: bool
    rotation: int
    data_fingerprint: str
    names: Mapping[str, str]
    distances: Mapping[str, float]
    warnings: tuple[str, ...]


def answers_of(folder: RunFolder, record: RunRecord, experiment: Experiment, on: str) -> Answers:
    """The answers of a run that a name means.

    Args:
        folder: The run's folder.
        record: Its record.
        experiment: Its configuration.
        on: `test`, `zero_shot` (findings held out of training, on the test part), or an
            evaluation: the name of its part of the predictions, or the clear beginning of one.

    Raises:
        InputError: If the run has no such answers, or the name begins several.
    """
    if on in OWN:
        again = "run the experiment again" if OWN[on] == TEST else _HOLD_OUT
        return own_answers(_part(folder, OWN[on], again), record, experiment)
    known = {name: test for name, _, test in evaluations(record)}
    fits = [on] if on in known else [name for name in known if name.startswith(on)]
    if len(fits) != 1:
        several = f"choose of: {', '.join(fits)}"
        run_it = f"kgdx experiment evaluate {folder.run} --dataset NAME"
        close = did_you_mean(on, [*OWN, *known]) if known else run_it
        raise InputError(
            f"{folder.run}: {on!r} {'begins several answers' if fits else 'was not answered'}",
            several if fits else close,
        )
    return _elsewhere(folder, experiment, fits[0], known[fits[0]])


def own_answers(part: ScoredSubset, record: RunRecord, experiment: Experiment) -> Answers:
    """Answers on the run's own test part."""
    held = experiment.hold_out if part.part == ZERO_SHOT else None
    told = f", findings held out of training ({_LEVELS[held.level]})" if held else ""
    rows = [row for row in record.findings if row.part == TEST]
    far = {row.finding: row.metrics[DISTANCE].value for row in rows if DISTANCE in row.metrics}
    return Answers(
        part=part,
        told=f"test part{told}",
        dataset=record.dataset,
        labels=record.labels,
        label_source=record.label_source,
        label_policy=record.label_policy,
        inputs_at_test=record.inputs_at_test,
        text_policy=record.text_policy,
        leakage=record.leakage,
        split_kind=experiment.split.kind,
        shared=False,
        rotation=(held.rotation or 0) if held else 0,
        data_fingerprint=record.data_fingerprint,
        names={row.finding: row.label for row in rows},
        distances={name: value for name, value in far.items() if value is not None},
        warnings=record.warnings,
    )


def _elsewhere(
    folder: RunFolder, experiment: Experiment, name: str, test: Mapping[str, Any]
) -> Answers:
    """Answers that `experiment evaluate` has kept."""
    locked = test["part"] == "locked"
    kind = EXTERNAL if test["external"] else "locked" if locked else experiment.split.kind
    part = _part(folder, name, f"kgdx experiment evaluate {folder.run} --dataset {test['dataset']}")
    basis = {row["basis"] for row in test["findings"] if row["finding"] in part.findings}
    findings = "findings trained on" if basis == {"trained"} else "findings not trained on"
    without = "".join(f", without {source}" for source in test.get("without", ()))
    return Answers(
        part=part,
        told=f"{test['dataset']}, {findings}{without}",
        dataset=test["dataset"],
        labels=test["labels"],
        label_source=tuple(test["label_source"]),
        label_policy=test["label_policy"],
        inputs_at_test=tuple(test["inputs_at_test"]),
        text_policy=test["text_policy"],
        leakage=test["leakage"],
        split_kind=kind,
        shared=bool(test["external"]) or locked,
        rotation=0,
        data_fingerprint=test["data_fingerprint"],
        names={row["finding"]: row["label"] for row in test["findings"]},
        distances={
            row["finding"]: far["value"]
            for row in test["findings"]
            if row["finding"] in part.findings
            and (far := row.get("metrics", {}).get(DISTANCE)) is not None
            and far["value"] is not None
        },
        warnings=tuple(test["warnings"]),
    )


_HOLD_OUT = "zero-shot answers are those of runs with hold_out"
_LEVELS = {"concept": "zero-shot", "labels": "of the label alone"}


def evaluations(record: RunRecord) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Parts of the predictions that evaluations wrote, their basis, and the evaluation.

    Where the same was tested several times, the last one holds.
    """
    for test in record.evaluations:
        for basis in test["metrics"]:
            locked = test["part"] == "locked"
            without = test.get("without", ())
            name = evaluation_subset(
                test["dataset"], test["labels"], basis, locked=locked, without=without
            )
            yield name, basis, test


def _part(folder: RunFolder, name: str, hint: str) -> ScoredSubset:
    """A part of the predictions, sorted by study."""
    parts = [part for part in read_predictions(folder.predictions) if part.part == name]
    if not parts:
        raise InputError(f"{folder.predictions} has no {name} part", hint)
    return by_study(parts[0], folder.predictions)


def by_study(part: ScoredSubset, path: Path) -> ScoredSubset:
    """A part that was read from a file, sorted by study.

    Raises:
        InputError: If a study stands there twice.
    """
    if len(set(part.studies)) < len(part.studies):
        raise InputError(f"{path}: a study is scored twice", "run it again")
    return part.at(sorted(range(len(part.studies)), key=part.studies.__getitem__))
