"""Finished runs beside the probes: on the same folds, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.audit.explained import BaselineProbe, explain
from experiments.audit.subject import AuditOptions, open_subject
from experiments.config.schema import DataSection, Experiment, SplitSection
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset, write_predictions
from experiments.records.record import RunRecord
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.options import Part

OPTIONS = AuditOptions(folds=3, at_least=5, resamples=50)


@pytest.fixture
def subject(planted):
    dataset, root = planted("origin")
    return open_subject(OPTIONS, OpenDataset.open("planted", dataset, root), load_shipped())


def write_run(runs: Path, subject, fold: int, scores, **changed) -> RunFolder:
    """A finished run of a fold that gave these scores `[n, C]`."""
    experiment = Experiment(
        name="seer",
        data=DataSection(name="planted", labels="covid"),
        split=SplitSection(folds=3, fold=fold),
        system=Part(name="logistic_image"),
    )
    folder = RunFolder.create(runs, experiment)
    rows = subject.folds[fold].test
    part = ScoredSubset(
        "test",
        tuple(subject.studies[row].study for row in rows),
        tuple(subject.groups[row] for row in rows),
        subject.findings,
        subject.labels[rows],
        1 / (1 + np.exp(-scores[rows])),
    )
    write_predictions(folder.predictions, [part])
    given = {
        "run": folder.run,
        "status": "finished",
        "experiment": experiment.model_dump(mode="json"),
        "dataset": "planted",
        "labels": "covid",
        "inputs_at_test": ("image",),
        "split_manifest": subject.manifests[fold].sha256,
    }
    RunRecord(**{**BLANK, **given, **changed}).save(folder.record)
    return folder


BLANK = {
    "config_hash": "",
    "command": "",
    "version": "",
    "commit": None,
    "packages": {},
    "system": "logistic_image",
    "label_source": ("record",),
    "label_policy": {},
    "text_policy": "none",
    "leakage": "none",
}


def test_a_run_that_copies_the_probe_has_nothing_left_and_one_that_sees_has(subject, tmp_path):
    rng = np.random.default_rng(0)
    shape = subject.labels.shape
    flipped = rng.random(shape) < 0.2
    source = np.where(flipped, 1 - subject.labels, subject.labels) * 4.0
    probes = [
        BaselineProbe("source", "anything", source),
        BaselineProbe("view", "anything", rng.normal(size=shape)),
        # the runs do not read text
        BaselineProbe("redacted report", "text", subject.labels * 9.0),
    ]
    copies = source + 0.01 * rng.normal(size=shape)
    sees = subject.labels * 3.0 + rng.normal(size=shape)
    found = {}
    for name, scores in (("copies", copies), ("sees", sees)):
        runs = [write_run(tmp_path / name, subject, fold, scores) for fold in range(3)]
        (found[name],) = explain(subject, probes, runs)
        assert found[name].probe == "source"
        assert len(found[name].runs) == 3
    assert "not distinguishable from source" in found["copies"].verdict
    assert "is not shown to rank them" in found["copies"].verdict
    assert "above source" in found["sees"].verdict
    assert found["sees"].within.low > 0.5
    assert found["sees"].comparable > 0.9


def test_runs_of_other_folds_or_too_few_are_refused(subject, tmp_path):
    probes = [BaselineProbe("source", "anything", subject.labels)]
    run = write_run(tmp_path / "a", subject, 0, subject.labels)
    with pytest.raises(InputError, match="seer: 1 of 3 folds were run"):
        explain(subject, probes, [run])
    other = write_run(tmp_path / "b", subject, 0, subject.labels, split_manifest="5e11")
    with pytest.raises(InputError, match="was not tested on the folds of this audit"):
        explain(subject, probes, [other])
    assert explain(subject, probes, []) == ()
