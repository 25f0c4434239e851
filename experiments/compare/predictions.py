"""Predictions of a run by name: on its test set, on held-out findings, or on other data."""

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

__all__ = ["Predictions", "predictions_of", "by_study", "evaluations", "own_predictions"]

OWN = {"test": TEST, "zero_shot": ZERO_SHOT}
"""Names of predictions on the run's own test set; other names are evaluations."""
EXTERNAL = "external"


@dataclass(frozen=True)
class Predictions:
    """Predictions of one run, with the inputs of the system and the labels.

    Args:
        part: Probabilities and labels, by study id and finding id.
        description: Description of the studies and findings.
        dataset: Data set of the studies.
        labels: Label set.
        label_source: Texts or tables the labels were derived from.
        label_policy: Treatment of uncertain and blank labels.
        inputs_at_test: Inputs of the system.
        text_policy: Text it could read.
        leakage: `none`, `partial` or `label_source_read`.
        split_kind: Selection of the studies: the run's kind of split, `locked` or `external`.
        shared: Whether the runs of all folds predict the same studies, so that folds are averaged.
        rotation: Group of held-out findings that was predicted; 0 where there is only one.
        data_fingerprint: SHA-256 over the studies.
        names: Preferred name of each finding.
        distances: Distance in the graph of each held-out finding to the nearest trained one.
        warnings: Warnings recorded with these predictions.
    """

    part: ScoredSubset
    description: str
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


def predictions_of(
    folder: RunFolder, record: RunRecord, experiment: Experiment, on: str
) -> Predictions:
    """Predictions of a run by their name.

    Args:
        folder: The run's folder.
        record: Its record.
        experiment: Its configuration.
        on: `test`, `zero_shot` (findings held out of training, on the test set), or an
            evaluation: the name of its predictions, or an unambiguous prefix of it.

    Raises:
        InputError: If the run has no such predictions, or the name is a prefix of several.
    """
    if on in OWN:
        again = "run the experiment again" if OWN[on] == TEST else _HOLD_OUT
        return own_predictions(_named(folder, OWN[on], again), record, experiment)
    known = {name: test for name, _, test in evaluations(record)}
    fits = [on] if on in known else [name for name in known if name.startswith(on)]
    if len(fits) != 1:
        several = f"choose one of: {', '.join(fits)}"
        run_it = f"kgdx experiment evaluate {folder.run} --dataset NAME"
        close = did_you_mean(on, [*OWN, *known]) if known else run_it
        raise InputError(
            f"{folder.run}: {on!r} "
            f"{'is a prefix of several predictions' if fits else 'was not predicted'}",
            several if fits else close,
        )
    return _elsewhere(folder, experiment, fits[0], known[fits[0]])


def own_predictions(part: ScoredSubset, record: RunRecord, experiment: Experiment) -> Predictions:
    """Predictions on the run's own test set."""
    held = experiment.hold_out if part.part == ZERO_SHOT else None
    findings = f", findings held out of training ({_LEVELS[held.level]})" if held else ""
    rows = [row for row in record.findings if row.part == TEST]
    far = {row.finding: row.metrics[DISTANCE].value for row in rows if DISTANCE in row.metrics}
    return Predictions(
        part=part,
        description=f"test set{findings}",
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
) -> Predictions:
    """Predictions kept by `experiment evaluate`."""
    locked = test["part"] == "locked"
    kind = EXTERNAL if test["external"] else "locked" if locked else experiment.split.kind
    scored = _named(
        folder, name, f"kgdx experiment evaluate {folder.run} --dataset {test['dataset']}"
    )
    basis = {row["basis"] for row in test["findings"] if row["finding"] in scored.findings}
    findings = "trained findings" if basis == {"trained"} else "zero-shot findings"
    without = "".join(f", without {modality}" for modality in test.get("without", ()))
    return Predictions(
        part=scored,
        description=f"{test['dataset']}, {findings}{without}",
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
            if row["finding"] in scored.findings
            and (far := row.get("metrics", {}).get(DISTANCE)) is not None
            and far["value"] is not None
        },
        warnings=tuple(test["warnings"]),
    )


_HOLD_OUT = "only runs with hold_out have zero-shot predictions"
_LEVELS = {"concept": "zero-shot", "labels": "label held out only"}


def evaluations(record: RunRecord) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Names of the predictions written by evaluations, their basis, and the evaluation.

    Of repeated evaluations the last one counts.
    """
    for test in record.evaluations:
        for basis in test["metrics"]:
            locked = test["part"] == "locked"
            without = test.get("without", ())
            name = evaluation_subset(
                test["dataset"], test["labels"], basis, locked=locked, without=without
            )
            yield name, basis, test


def _named(folder: RunFolder, name: str, hint: str) -> ScoredSubset:
    """Predictions of a name, sorted by study."""
    parts = [part for part in read_predictions(folder.predictions) if part.part == name]
    if not parts:
        raise InputError(f"{folder.predictions} has no {name} predictions", hint)
    return by_study(parts[0], folder.predictions)


def by_study(part: ScoredSubset, path: Path) -> ScoredSubset:
    """Predictions read from a file, sorted by study.

    Raises:
        InputError: If a study is predicted twice.
    """
    if len(set(part.studies)) < len(part.studies):
        raise InputError(f"{path}: a study is predicted twice", "run the experiment again")
    return part.at(sorted(range(len(part.studies)), key=part.studies.__getitem__))
