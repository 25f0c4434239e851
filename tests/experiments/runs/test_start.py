"""A run that begins with weights of another: what fits is taken, what must not be is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError

from experiments.config.hashing import config_hash
from experiments.config.schema import Experiment, Start
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder, find_run
from experiments.runner.run import run_experiment
from experiments.runs.exposure import Exposure
from experiments.runs.restore import restore
from experiments.splits.manifest import Manifest
from kg.errors import InputError

Values = dict[str, Any]
TOWER = {"image_tower": "image_tower"}


def go(values: Values, runs: Path) -> RunFolder:
    experiment = Experiment.model_validate(values)
    return find_run(run_experiment(experiment, root=runs, runs=runs), runs)


@pytest.fixture(scope="module")
def pretraining(small: Values) -> Values:
    """Configuration of a run that learns from reports alone."""
    return {
        **small,
        "name": "pretrained",
        "text": {"train": "none", "test": "none"},
        "system": {"name": "convirt", "options": {"width": 16, "space": 16, "hidden": [16]}},
        "stages": [{"objectives": {"contrast": 1.0}, "epochs": 2, "monitor": "loss"}],
        "tasks": ["retrieval"],
    }


@pytest.fixture(scope="module")
def pretrained(pretraining: Values, small_runs: Path) -> RunFolder:
    return go(pretraining, small_runs)


@pytest.fixture
def probing(pretraining: Values, pretrained: RunFolder) -> Values:
    """Configuration of a linear probe of that run."""
    return {
        **pretraining,
        "name": "probe",
        "system": {"name": "linear_probe", "options": {"width": 16}},
        "stages": [],
        "tasks": ["classification"],
        "start": [{"run": pretrained.run, "take": TOWER}],
    }


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch, pretrained: RunFolder) -> None:
    """Pages have tests of their own; the first run has written one."""
    assert pretrained.report.is_file()
    monkeypatch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)


def test_a_pretraining_run_finishes_and_is_restored_without_thresholds(
    pretrained: RunFolder,
) -> None:
    record = pretrained.load_record()
    assert (record.status, record.findings, record.supervision) == ("finished", (), ("reports",))
    chance = record.metrics["test"]["image_to_text_recall_at_10"]
    assert chance.value is not None
    found = restore(pretrained)
    assert found.calibration is None
    assert found.system.basis(found.preprocessor.findings[0]) == "zero_shot"


def test_a_probe_takes_the_tower_and_names_its_parent(
    probing: Values, pretrained: RunFolder, small_runs: Path
) -> None:
    probe = go(probing, small_runs)
    record, parent = probe.load_record(), pretrained.load_record()
    (before,) = record.started_from
    best = load_checkpoint(pretrained.checkpoints / "best")
    assert (before.run, before.config_hash) == (pretrained.run, parent.config_hash)
    assert (before.sha256, before.take) == (best.sha256, TOWER)
    assert record.supervision == ("labels", "reports")
    taken = load_checkpoint(probe.checkpoints / "best").tensors
    tower = {name: row for name, row in taken.items() if name.startswith("image_tower.")}
    assert tower
    assert all(torch.equal(row, best.tensors[name]) for name, row in tower.items())
    read, handed = (load_checkpoint(run.checkpoints / "reader") for run in (probe, pretrained))
    assert torch.equal(read.tensors["reducer.components"], handed.tensors["reducer.components"])


def test_what_the_parent_has_seen_counts_as_seen(
    probing: Values, pretrained: RunFolder, small_runs: Path
) -> None:
    half = go({**probing, "split": {"kind": "fixed", "fraction": 0.5}}, small_runs)
    own = Manifest.load(half.splits)
    parent = Exposure.of(pretrained, Manifest.load(pretrained.splits))
    child = Exposure.of(half, own)
    learnt = {
        f"synthetic:{study}" for part in ("train", "validation") for study in own.studies(part)
    }
    assert parent.studies - learnt
    assert child.studies == parent.studies | learnt
    assert child.hashes == parent.hashes


def test_a_test_study_that_the_parent_saw_is_refused(probing: Values, small_runs: Path) -> None:
    with pytest.raises(InputError, match="has seen .* of the .* studies tested here") as caught:
        go({**probing, "split": {"kind": "fixed", "seed": 5}}, small_runs)
    assert "same split" in caught.value.hint


def test_one_changed_byte_of_the_parent_is_refused(
    probing: Values, pretrained: RunFolder, small_runs: Path
) -> None:
    copy = small_runs / "changed"
    shutil.copytree(pretrained.path, copy)
    (file,) = (copy / "checkpoints" / "best").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"changed/checkpoints/best.*{file.name}|{file.name}"):
        go({**probing, "start": [{"run": "changed", "take": TOWER}]}, small_runs)
    shutil.rmtree(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": {"name": "linear_probe", "options": {"width": 32}}}, "image_tower.project.we"),
        ({"start": [{"take": {"image_tower": "text_tower"}}]}, "has no place"),
        ({"start": [{"take": {"image_towr": "image_tower"}}]}, "no module 'image_towr'"),
        ({"start": [{"take": {"image_tower": "tower"}}]}, "no module 'tower'"),
    ],
)
def test_what_does_not_fit_is_listed(
    probing: Values, pretrained: RunFolder, small_runs: Path, change: Values, words: str
) -> None:
    values = {**probing, **change}
    values["start"] = [{"run": pretrained.run, **start} for start in values["start"]]
    with pytest.raises(InputError, match=words) as caught:
        go({**values, "name": "unfit"}, small_runs)
    assert caught.value.hint


def test_pictures_that_are_read_otherwise_are_refused(probing: Values, small_runs: Path) -> None:
    with pytest.raises(InputError, match=r"image\.grid"):
        go({**probing, "image": {**probing["image"], "grid": 1}}, small_runs)


def test_a_configuration_stands_for_its_run_with_the_same_split_and_seed(
    probing: Values, pretraining: Values, small_runs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pretrained.yaml"
    path.write_text(yaml.safe_dump(pretraining), encoding="utf-8")
    by_name = {**probing, "start": [{"experiment": str(path), "take": TOWER}]}
    with pytest.raises(InputError, match="no finished run") as caught:
        go({**by_name, "seed": 1, "split": {"kind": "fixed", "seed": 2}}, small_runs)
    assert caught.value.hint.endswith("--set split.seed=2 --set seed=1")
    other = go({**pretraining, "seed": 1}, small_runs)
    for seed, fraction in ((0, 1.0), (1, 1.0), (1, 0.5)):
        split = {"kind": "fixed", "fraction": fraction}
        found = go({**by_name, "name": "by_name", "seed": seed, "split": split}, small_runs)
        (before,) = found.load_record().started_from
        parent = RunFolder(small_runs / before.run).load_record()
        assert (parent.seed, parent.experiment["name"]) == (seed, "pretrained")
        assert (before.run == other.run) == (seed == 1)


def test_the_hash_of_a_run_is_that_of_the_configuration_it_starts_with() -> None:
    values = {"name": "a", "data": {"name": "openi", "labels": "nih14"}, "system": {"name": "x"}}

    def hashed(**start: str) -> str:
        return config_hash(
            Experiment.model_validate({**values, "start": [{"take": TOWER, **start}]})
        )

    assert hashed(experiment="a") != hashed(experiment="b")
    assert hashed(run="a") != hashed(experiment="a")


@pytest.mark.parametrize("named", [{}, {"run": "a", "experiment": "b"}])
def test_a_start_names_a_run_or_a_configuration(named: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either a run or an experiment"):
        Start(take=TOWER, **named)


def test_a_frozen_encoder_of_another_run_has_a_cache_of_its_own(
    small: Values, probing: Values, small_runs: Path
) -> None:
    pixels = {**small["image"], "frozen": False, "reduce": 0}
    one_step = {**small["stages"][0], "objectives": {"classification": 1.0}, "steps": 1}
    trained = go({**small, "name": "pixels", "image": pixels, "stages": [one_step]}, small_runs)

    def features() -> dict[str, int]:
        found = (small_runs / "cache").glob("*/about.json")
        keys = {path.parent: json.loads(path.read_text())["key"] for path in found}
        return {
            key["weights"]: len((path / "index.jsonl").read_text().splitlines())
            for path, key in keys.items()
            if "pool" in key
        }

    before = features()
    encoder = dict(small["image"]["encoder"])
    encoder["options"] = {**encoder["options"], "weights": f"run:{trained.run}"}
    values = {**probing, "name": "read", "system": {"name": "logistic_image"}, "start": []}
    values["image"] = {**small["image"], "encoder": encoder}
    first = go(values, small_runs)
    after = features()
    (new,) = set(after) - set(before)
    assert 0 < after[new] <= max(before.values())  # other tests read further pictures
    assert {name: after[name] for name in before} == before
    (parent,) = first.load_record().started_from
    assert (parent.run, parent.take) == (trained.run, {})
    again = go(values, small_runs)
    assert features() == after
    assert again.load_record().metrics == first.load_record().metrics
