"""`experiment runs` and `show`: the state of a run, its data folder, and what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.cli.main import main
from experiments.config.hashing import config_hash
from experiments.config.schema import DataSection, Experiment
from experiments.records.folder import RunFolder
from experiments.records.record import RunRecord, Status
from kg.options import Part


def a_run(runs: Path, status: Status, reason: str = "", data: str = "/data/openi") -> RunFolder:
    section = DataSection(name="openi", labels="nih14")
    experiment = Experiment(name=status, data=section, system=Part(name="logistic_image"))
    folder = RunFolder.create(runs, experiment)
    RunRecord(
        *(folder.run, status, experiment.model_dump(mode="json"), config_hash(experiment)),
        *("", "", None, {}, "logistic_image", "openi", "nih14"),
        reason=reason,
        data_folder=data,
    ).save(folder.record)
    return folder


@pytest.mark.parametrize(
    ("status", "reason", "listed", "expected"),
    [
        ("running", "", "stopped", "its process was killed: kgdx experiment resume {} --root {}"),
        ("stopped", "", "stopped", "kgdx experiment resume {} --root {}"),
        ("failed", "", "failed", "kgdx experiment resume {} --root {}"),
        ("diverged", "loss is inf", "diverged", "loss is inf: run it again with a lower"),
        ("finished", "", "finished", "kgdx experiment report {0} -o {0}.html"),
    ],
)
def test_what_to_do_next(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    status: Status,
    reason: str,
    listed: str,
    expected: str,
) -> None:
    folder = a_run(tmp_path, status, reason)
    assert main(["experiment", "runs", "--runs", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["data_folder"]) == (listed, "/data/openi")
    assert expected.format(folder.path, "/data/openi") in row["next"]
    for command in (["runs"], ["show", folder.run]):
        assert main(["experiment", *command, "--runs", str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert row["next"] in out
        assert "/data/openi" in out


def test_a_run_that_a_process_holds_is_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_run(tmp_path, "running")
    with folder.hold():
        assert main(["experiment", "runs", "--runs", str(tmp_path)]) == 0
    assert "running\t" in capsys.readouterr().out


def test_a_pseudonym_of_a_folder_is_no_root(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(tmp_path, "stopped", data="0123456789abcdef")
    assert main(["experiment", "runs", "--runs", str(tmp_path)]) == 0
    assert "--root" not in capsys.readouterr().out


def test_an_empty_folder_of_runs_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "runs", "--runs", str(tmp_path)]) == 0
    assert "kgdx experiment run CONFIG" in capsys.readouterr().err
