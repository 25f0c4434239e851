"""Run folders, records, predictions and journals."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.config.load import resolve
from experiments.config.schema import DataSection, Experiment
from experiments.privacy.pseudonyms import KEY
from experiments.records.checkpoint import STATE
from experiments.records.folder import RunFolder, find_run, list_runs, run_name
from experiments.records.journal import append_metrics, log_to, read_metrics, rewind_metrics
from experiments.records.predictions import ScoredSubset, read_predictions, write_predictions
from experiments.records.record import FindingRow, GraphUse, Measured, RunRecord
from experiments.records.surroundings import code_version, now, package_versions
from kg.errors import InputError, RunStopped
from kg.options import Part


@pytest.fixture
def experiment() -> Experiment:
    data = DataSection(name="synthetic", labels="nih14")
    return Experiment(name="small one", data=data, system=Part(name="graph_fusion"))


@pytest.fixture
def folder(tmp_path: Path, experiment: Experiment) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", experiment)


def a_record(**changes: object) -> RunRecord:
    row = FindingRow(
        finding="ckg:edema",
        label="edema",
        part="test",
        studies=100,
        positives=22,
        basis="trained",
        threshold=0.3,
        metrics={"auroc": Measured(0.8, 0.7, 0.9)},
    )
    record = RunRecord(
        run="small-1",
        status="running",
        experiment={"name": "small"},
        config_hash="ab",
        command="kgdx experiment run small",
        version=code_version(),
        commit=None,
        packages=package_versions(),
        system="graph_fusion",
        dataset="synthetic",
        labels="nih14",
        inputs_at_test=("image",),
        graph=GraphUse("shipped", "f00", 10, 20, left_out=("OpenI",)),
        started=now(),
        metrics={"test": {"auroc_macro": Measured(0.8, 0.7, float("nan"), findings=12)}},
        findings=(row,),
    )
    return replace(record, **changes)


def test_a_folder_holds_a_configuration_that_runs_again(folder, experiment) -> None:
    assert folder.run == run_name(experiment)
    assert folder.run.startswith("small-one-")
    assert resolve(str(folder.config)) == experiment


def test_runs_of_one_configuration_have_names_of_their_own(tmp_path, folder, experiment) -> None:
    second = RunFolder.create(tmp_path / "runs", experiment)
    assert second.run == f"{folder.run}-2"
    runs = tmp_path / "runs"
    assert [each.run for each in list_runs(runs)] == [folder.run, second.run]
    assert find_run(folder.run, runs) == folder
    assert find_run(str(second.path), tmp_path) == second
    with pytest.raises(InputError, match="begins several"):
        find_run("small", runs)
    with pytest.raises(InputError) as caught:
        find_run(f"x{folder.run}", runs)
    assert folder.run in caught.value.hint


def test_a_folder_that_cannot_be_made(tmp_path, experiment) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder.create(tmp_path / "file" / "runs", experiment)


HOLD = """
import sys
from pathlib import Path
from experiments.records.folder import RunFolder
with RunFolder(Path(sys.argv[1])).hold():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_a_run_and_a_dead_one_holds_nothing(folder, processes) -> None:
    command = (sys.executable, "-c", HOLD, folder.path)
    holder = processes.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError) as caught, folder.hold():
        pass
    assert f"process {holder.pid} since" in caught.value.message
    a_record(run=folder.run).save(folder.record)
    assert folder.load_record().status == "running"
    holder.kill()
    holder.wait()
    killed = folder.load_record()
    assert (killed.status, killed.reason) == ("stopped", "its process was killed")
    (folder.path / ".unfinished-1-ab-record.json").write_text("half")
    with folder.hold():
        assert not list(folder.path.glob(".unfinished*"))


@pytest.mark.parametrize(
    ("error", "status", "resumable"),
    [
        (KeyboardInterrupt(), "stopped", True),
        (RunStopped("three bad batches"), "stopped", True),
        (ValueError("a bug"), "failed", False),
    ],
)
def test_a_broken_run_says_so_and_how_to_resume(folder, error, status, resumable) -> None:
    a_record().save(folder.record)
    (folder.checkpoints / "last").mkdir()
    (folder.checkpoints / "last" / STATE).write_text("{}")
    with pytest.raises(type(error)) as caught, folder.hold():
        raise error
    record = folder.load_record()
    assert record.status == status
    assert record.reason == (str(error) if isinstance(error, RunStopped) else "")
    notes = [f"kgdx experiment resume {folder.path}"] if resumable else []
    assert getattr(caught.value, "__notes__", []) == notes


def test_a_run_that_never_began_leaves_nothing(folder) -> None:
    def begin() -> None:
        with folder.hold(), log_to(folder.log):
            logging.getLogger("experiments").info("no such data")
            raise InputError("no such data", "fetch them")

    with pytest.raises(InputError):
        begin()
    assert not folder.path.exists()


def test_a_record_comes_back(tmp_path: Path) -> None:
    record = a_record()
    record.save(tmp_path / "record.json")
    found = RunRecord.load(tmp_path / "record.json")
    macro = found.metrics["test"]["auroc_macro"]
    assert macro == Measured(0.8, 0.7, None, findings=12)
    assert replace(found, metrics={}) == replace(record, metrics={})
    assert json.loads((tmp_path / "record.json").read_text())["findings"][0]["positives"] == 22


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 9}', '{"format": 1, "run": 3}'])
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(InputError, match=str(path)):
        RunRecord.load(path)


def test_predictions_come_back(tmp_path: Path) -> None:
    part = ScoredSubset(
        part="test",
        studies=("s1", "s2", "s3"),
        patients=("p1", "p1", "p2"),
        findings=("ckg:b", "ckg:a"),
        labels=np.array([[1, 0], [np.nan, 1], [0, 0]], dtype=float),
        probabilities=np.array([[0.9, 1 / 3], [0.2, np.nan], [0, 1]]),
    )
    path = tmp_path / "predictions.parquet"
    write_predictions(path, [part, replace(part, part="validation", findings=("ckg:c", "ckg:a"))])
    first, second = read_predictions(path)
    assert (first.studies, first.patients, first.findings) == (
        part.studies,
        part.patients,
        part.findings,
    )
    np.testing.assert_array_equal(first.labels, part.labels)
    np.testing.assert_array_equal(first.probabilities, part.probabilities)
    assert (second.part, second.findings) == ("validation", ("ckg:c", "ckg:a"))


def test_predictions_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    with pytest.raises(InputError, match="there is no"):
        read_predictions(path)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="cannot be read"):
        read_predictions(path)


def test_metrics_survive_a_torn_line_and_are_rewound(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, {"step": 1, "loss": 0.5})
    with path.open("a") as file:
        file.write('{"step": 2, "lo')
    append_metrics(path, {"step": 3})
    append_metrics(path, {"stage": "fit"})
    assert [row.get("step") for row in read_metrics(path)] == [1, 3, None]
    rewind_metrics(path, "step", 2)
    assert read_metrics(path) == [{"step": 1, "loss": 0.5}, {"stage": "fit"}]


def test_the_log_holds_what_our_packages_say(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with log_to(path):
        logging.getLogger("experiments.training").info("epoch %d", 1)
        logging.getLogger("elsewhere").info("not ours")
    logging.getLogger("experiments.training").info("afterwards")
    text = path.read_text()
    assert text.endswith("experiments.training: epoch 1\n")
    assert text.count("\n") == 1


@pytest.mark.parametrize("secret", ["", "a key of some length"])
def test_under_a_key_the_log_names_no_path(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY, raising=False)
    if secret:
        monkeypatch.setenv(KEY, secret)
    log = logging.getLogger("experiments.loading")
    with log_to(tmp_path / "log.txt"):
        log.warning("%s: %s (%d more)", Path("ward/Smith.dcm"), "no window", 3)
        log.warning("100% plain")
        log.warning("%(a)s by name", {"a": 1})
    text = (tmp_path / "log.txt").read_text()
    assert text.count("\n") == 3
    assert ": no window (3 more)" in text
    assert ("ward/Smith.dcm" in text) == (not secret)


def test_a_read_only_run_cannot_be_held(folder) -> None:
    if os.geteuid() == 0:
        (folder.path / "lock").mkdir()
    else:
        folder.path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"), folder.hold():
        pass
