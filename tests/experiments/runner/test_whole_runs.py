"""Whole runs, small: from a configuration to record, predictions, page, and refusals to go on."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.config.load import dump
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder, find_run, list_runs
from experiments.records.predictions import read_predictions
from experiments.records.record import RunRecord
from experiments.runner import run as running
from experiments.runner.run import resume_run, run_experiment, train
from experiments.runs.build import RunContext
from experiments.runs.restore import restore
from experiments.training.checkpoints import SafeCheckpointIO
from kg.errors import InputError, RunStopped
from kg.files.store import load_shipped, save

Values = dict[str, Any]


def go(values: Values, runs: Path, root: Path | None = None) -> RunFolder:
    experiment = Experiment.model_validate(values)
    return find_run(run_experiment(experiment, root=root or runs, runs=runs), runs)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have tests of their own and take longer than the training here."""
    monkeypatch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)


@pytest.fixture(scope="module")
def whole(small: Values, small_runs: Path) -> RunFolder:
    return go({**small, "name": "whole"}, small_runs)


def test_the_record_says_what_was_given_and_what_came_of_it(whole: RunFolder) -> None:
    record = whole.load_record()
    assert record.status == "finished"
    assert record.inputs_at_test == ("image", "redacted")
    assert (record.text_policy, record.leakage) == ("redacted", "partial")
    assert record.label_source == ("findings", "impression")
    assert record.label_policy == {"uncertain": "ignore", "blank": "ignore"}
    assert sum(record.split_counts.values()) == 40
    assert len(record.split_manifest) == len(record.data_fingerprint) == 64
    assert record.graph is not None
    assert not record.graph.keeps_test_data
    assert record.parameters > 1000
    assert {"torch", "lightning"} <= set(record.packages)
    macro = record.metrics["test"]["auroc_macro"]
    assert macro.value is None or macro.low <= macro.value <= macro.high  # type: ignore[operator]
    # no finding of NIH-14 entails another one
    assert record.metrics["test"]["hierarchy_consistency"].value is None
    for name in ("no_finding_contradiction", "no_finding_neither"):
        share = record.metrics["test"][name]
        assert share.value is None or 0 <= share.value <= 1
    assert {row.basis for row in record.findings} == {"trained"}
    known = ("few positives", "has random weights and is frozen, as configured")
    assert all(any(words in line for words in known) for line in record.warnings)


def test_every_study_is_answered_once_and_the_page_is_there(whole: RunFolder) -> None:
    record = whole.load_record()
    parts = {part.part: part for part in read_predictions(whole.predictions)}
    assert set(parts) == {"validation", "test"}
    for name, part in parts.items():
        assert len(part.studies) == len(set(part.studies)) == record.split_counts[name]
        assert np.isfinite(part.probabilities).all()
        assert ((part.probabilities >= 0) & (part.probabilities <= 1)).all()
    assert not set(parts["test"].patients) & set(parts["validation"].patients)
    assert whole.report.read_text(encoding="utf-8").startswith("<!")
    examples = json.loads((whole.path / "examples.json").read_text(encoding="utf-8"))
    assert examples
    assert whole.splits.is_file()


def test_the_same_configuration_again_gives_the_same_bytes(
    small: Values, small_runs: Path, whole: RunFolder, no_page: None
) -> None:
    again = go({**small, "name": "whole"}, small_runs)  # now every cache is warm
    assert again.predictions.read_bytes() == whole.predictions.read_bytes()
    one, other = (run.load_record() for run in (whole, again))
    assert one.metrics == other.metrics
    assert one.split_manifest == other.split_manifest


@pytest.mark.parametrize("rate", ["1e300", "1e15"])
def test_a_run_that_diverges_says_so_everywhere(
    small: Values, tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: str
) -> None:
    from experiments.cli.main import main

    config, runs = tmp_path / "small.yaml", ("--runs", str(tmp_path / "runs"))
    config.write_text(dump(Experiment.model_validate({**small, "name": "wild"})))
    rated = ("--set", f"stages.0.learning_rate={rate}", *runs)
    assert main(["experiment", "run", str(config), *rated]) == 4
    assert "resume with" not in capsys.readouterr().err
    (folder,) = list_runs(tmp_path / "runs")
    record = folder.load_record()
    assert record.status == "diverged"
    assert record.finished
    assert record.reason.startswith("training diverged")
    assert main(["experiment", "runs", *runs]) == 0
    assert f"diverged\t{record.system}" in (listed := capsys.readouterr().out)
    assert record.reason in listed
    assert main(["experiment", "show", folder.run, *runs]) == 0
    assert record.reason in capsys.readouterr().out
    for written in (folder.log, folder.report):
        assert record.reason in written.read_text()
    tensors = load_checkpoint(folder.checkpoints / "last").tensors
    assert all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())
    assert main(["experiment", "resume", folder.run, *runs]) == 3
    assert "diverged and would again" in (said := capsys.readouterr().err)
    assert "learning_rate" in said
    assert main(["predict", "x.png", "--run", folder.run, *runs]) == 3
    assert "is diverged, not finished" in capsys.readouterr().err


def test_stopped_and_resumed_it_answers_the_same(
    small: Values,
    small_runs: Path,
    whole: RunFolder,
    no_page: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from experiments.training.task import Task

    plain, count = Task.training_step, 0

    def interrupted(task: Task, batch: Any, place: int) -> Any:
        nonlocal count
        count += 1
        if count == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(task, batch, place)

    monkeypatch.setattr(Task, "training_step", interrupted)
    before = {path for path in small_runs.iterdir()}
    with pytest.raises(KeyboardInterrupt) as caught:
        go({**small, "name": "whole"}, small_runs)
    assert "experiment resume" in caught.value.__notes__[0]
    (path,) = {path for path in small_runs.iterdir()} - before
    folder = RunFolder(path)
    assert folder.load_record().status == "stopped"
    resume_run(folder, small_runs)
    assert folder.predictions.read_bytes() == whole.predictions.read_bytes()
    assert folder.load_record().metrics == whole.load_record().metrics
    with pytest.raises(InputError, match="is finished"):
        resume_run(folder, small_runs)


def test_pixels_and_words_train_end_to_end(small: Values, small_runs: Path, no_page: None) -> None:
    values = {
        **small,
        "name": "trainable",
        "image": {**small["image"], "frozen": False, "trains": 1},
        "text": {"train": "full", "test": "indication", "encoder": {"name": "tiny_transformer"}},
        "graph": {**small["graph"], "control": "shuffled"},
        "system": {"name": "graph_fusion", "options": {"width": 32, "neighbourhood": 4}},
        "stages": [{**small["stages"][0], "epochs": 1}],
    }
    record = go(values, small_runs).load_record()
    assert record.inputs_at_test == ("image", "indication")
    assert record.leakage == "none"
    assert record.graph is not None
    assert record.graph.control == "shuffled"
    _check_what_is_too_rare(record)


def _check_what_is_too_rare(record: RunRecord) -> None:
    """A finding without positives has no metric, a warning names it, the macro says how many."""
    rows = [row for row in record.findings if row.part == "test"]
    few = [row for row in rows if row.remark == "too few positives"]
    assert few
    assert all(row.metrics["auroc"].value is None for row in rows if not row.positives)
    (warning,) = [said for said in record.warnings if "too few positives" in said]
    assert all(row.label in warning for row in few)
    assert "ckg:" not in warning
    assert record.metrics["test"]["auroc_macro"].findings == len(rows) - len(few)


@pytest.fixture
def openi(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "openi"
    folder.mkdir(parents=True)
    part = DATASETS.load("openi")
    part(part.Options()).tiny(folder)
    return folder.parent


@pytest.fixture
def on_openi(small: Values) -> Values:
    return {
        **small,
        "name": "openi-small",
        "data": {"name": "openi", "labels": "nih14", "at_least": 1},
        "text": {"train": "full", "test": "none"},
        "stages": [{**small["stages"][0], "epochs": 1}],
        "concept_studies": 1,
    }


def test_the_graph_of_a_run_on_openi_has_openi_left_out(
    on_openi: Values, openi: Path, tmp_path: Path, no_page: None
) -> None:
    record = go(on_openi, tmp_path / "runs", openi).load_record()
    shipped = load_shipped()
    assert record.graph is not None
    assert "OpenI" in record.graph.left_out
    assert record.graph.edges < len(shipped.edges)
    assert record.graph.fingerprint != shipped.fingerprint
    assert not record.graph.keeps_test_data
    kept = {**on_openi, "graph": {**on_openi["graph"], "keep_test_data": True}}
    other = go(kept, tmp_path / "runs", openi).load_record().graph
    assert other is not None
    assert other.keeps_test_data
    assert other.fingerprint == shipped.fingerprint


def stopped(values: Values, runs: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that gave up before its training began."""
    with monkeypatch.context() as patched:

        def give_up(*_: Any) -> None:
            raise RunStopped("enough", "go on")

        patched.setattr(running, "train", give_up)
        with pytest.raises(RunStopped):
            go(values, runs, root)
    (folder,) = [RunFolder(path) for path in runs.glob(f"{values['name']}-*")]
    assert folder.load_record().status == "stopped"
    return folder


def test_other_data_or_another_graph_are_refused_at_resume(
    on_openi: Values, openi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load_shipped()
    facts = tmp_path / "facts.jsonl"
    save(shipped, facts)
    values = {**on_openi, "graph": {**on_openi["graph"], "source": str(facts)}}
    folder = stopped(values, tmp_path / "runs", openi, monkeypatch)
    save(replace(shipped, edges=shipped.edges[1:]), facts)
    with pytest.raises(InputError, match="graph changed"):
        resume_run(folder, openi)
    save(shipped, facts)
    reports = openi / "openi" / "indiana_reports.csv"
    reports.write_text(reports.read_text(encoding="utf-8").replace("Cough", "Fever"), "utf-8")
    with pytest.raises(InputError, match="data changed"):
        resume_run(folder, openi)


def test_a_picture_changed_in_place_is_noticed_at_resume(
    on_openi: Values, openi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(on_openi, tmp_path / "runs", openi, monkeypatch)
    for picture in (openi / "openi" / "images").rglob("*.*"):
        with Image.open(picture) as pixels:
            pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture)
    with pytest.raises(InputError, match="data changed"):
        resume_run(folder, openi)


def test_a_checkpoint_of_something_else_is_refused_with_every_difference(
    make: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    folder, made = new_folder(), make({"epochs": 1})
    train(folder, made)
    turned = list(made.preprocessor.findings)[::-1]
    other = {**made.identity(), "findings": turned, "graph": "0" * 64}
    with pytest.raises(InputError) as caught:
        SafeCheckpointIO(other).load_checkpoint(folder.checkpoints / "last")
    assert "findings: the same in another order" in caught.value.message
    assert "graph: saved with" in caught.value.message
    wider = made.system.classifier.head  # type: ignore[union-attr]
    wider.add_module("extra", wider.bias)
    with pytest.raises(InputError, match=r"classifier\.head\.extra\.weight: not in the checkpoint"):
        load_checkpoint(folder.checkpoints / "best", like=made.system.state_dict())


class Payload:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def test_a_pickle_in_the_place_of_a_checkpoint_is_never_opened(
    make: Callable[..., RunContext],
    new_folder: Callable[[], RunFolder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder, made = new_folder(), make({"epochs": 1})
    train(folder, made)
    (tensors,) = (folder.checkpoints / "last").glob("tensors-*")
    tensors.write_bytes(pickle.dumps(Payload()))
    alone = tmp_path / "last.ckpt"
    alone.write_bytes(pickle.dumps(Payload()))
    for path in (folder.checkpoints / "last", alone):
        with pytest.raises(InputError):
            SafeCheckpointIO(made.identity()).load_checkpoint(path)
    with pytest.raises(InputError):
        train(folder, make({"epochs": 1}))
    assert not (tmp_path / "pwned").exists()


def wait_for(found: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not found():
        assert process.poll() is None, "the process ended too early"
        time.sleep(0.02)


def step_of(run: RunFolder) -> int:
    return int(load_checkpoint(run.checkpoints / "last").state["global_step"])


def test_signals_and_kills_leave_a_run_that_can_be_resumed(
    small: Values, small_runs: Path, tmp_path: Path, processes: Any
) -> None:
    config = tmp_path / "config.yaml"
    endless = {**small["stages"][0], "epochs": 10_000, "patience": 0}
    config.write_text(json.dumps({**small, "name": "endless", "stages": [endless]}), "utf-8")
    where = ["--runs", str(small_runs), "--root", str(small_runs)]
    said = tmp_path / "said.txt"
    command = (sys.executable, "-m", "experiments.cli.main", "experiment")

    def begun(*words: object) -> subprocess.Popen[str]:
        with said.open("a", encoding="utf-8") as stream:
            return processes.start(*command, *words, *where, stdout=stream, stderr=stream)

    process = begun("run", config)

    def trained() -> list[RunFolder]:
        return [RunFolder(p.parent) for p in small_runs.glob("endless-*/metrics.jsonl")]

    wait_for(lambda: bool(trained()), process)
    (folder,) = trained()
    with pytest.raises(InputError, match="in use by another process"), folder.hold():
        pass
    process.terminate()
    assert process.wait() == 143
    assert folder.load_record().status == "stopped"
    assert "resume with: kgdx experiment resume" in said.read_text(encoding="utf-8")
    reached = step_of(folder)
    assert reached > 0

    lines = folder.metrics.read_text(encoding="utf-8").count("\n")
    process = begun("resume", folder.run)

    def further() -> bool:
        return folder.metrics.read_text(encoding="utf-8").count("\n") > lines + 1

    wait_for(further, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert step_of(folder) > reached
    with folder.hold():  # the lock went with the process, and so do its leftovers
        assert not list(folder.path.rglob(".unfinished-*"))


def test_the_weight_of_the_prior_is_chosen_on_validation_and_kept(
    small: Values, small_runs: Path, no_page: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # training looks once an epoch; then the weights 0, 1/4, 1/2, 1 and 2 are tried
    looks = iter([*[0.5] * small["stages"][0]["epochs"], 0.5, 0.6, 0.7, 0.7, 0.2])
    monkeypatch.setattr("experiments.runner.monitors.macro_auroc", lambda *_: next(looks))
    system = {**small["system"], "options": {**small["system"]["options"], "propagation": "prior"}}
    folder = go({**small, "name": "prior", "system": system}, small_runs)
    assert next(looks, None) is None
    kept = restore(folder).system.classifier.prior
    assert kept.weight.item() == 0.5
    assert folder.load_record().chosen == {"weight of the prior": 0.5}
    assert torch.isfinite(kept.unit).any()
    state = load_checkpoint(folder.checkpoints / "best").state
    assert {"stage", "epoch", "value"} <= set(state)
