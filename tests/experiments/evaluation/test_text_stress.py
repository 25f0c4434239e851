"""The stress suite on small runs: what it measures, what it refuses, and the files it writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.cli.main import main
from experiments.config.schema import Experiment
from experiments.evaluation.evaluate import evaluate_run
from experiments.evaluation.text_perturbation import PERTURBATIONS
from experiments.evaluation.text_stress import TextStress, stress_text
from experiments.metrics.bootstrap import Plan
from experiments.records.folder import RunFolder, find_run
from experiments.records.predictions import read_predictions
from experiments.runner.run import run_experiment
from kg.errors import InputError

PLAN = Plan(resamples=50)


def finished(small: dict[str, Any], runs: Path, name: str, **sections: Any) -> RunFolder:
    experiment = Experiment.model_validate({**small, "name": name, **sections})
    return find_run(run_experiment(experiment, root=Path(), runs=runs), runs)


@pytest.fixture(scope="module")
def run(small: dict[str, Any], small_runs: Path) -> RunFolder:
    """Text alone, read whole, so that it matters."""
    return finished(
        small, small_runs, "stressed", text={"train": "full", "test": "full"},
        image={"encoder": None}, system={"name": "logistic_text"}, stages=[],
        split={"kind": "folds", "folds": 2},
    )  # fmt: skip


@pytest.fixture(scope="module")
def stress(run: RunFolder) -> TextStress:
    return stress_text([run], Path(), plan=PLAN)


def test_every_change_is_a_row_beside_the_text_as_written(
    run: RunFolder, stress: TextStress
) -> None:
    assert [row.perturbation for row in stress.rows] == ["as written", *PERTURBATIONS]
    first, *others = stress.rows
    assert first.loss is None
    record = run.load_record()
    assert first.auroc.value == pytest.approx(record.metrics["test"]["auroc_macro"].value)
    for row in others:
        assert row.loss is not None
        assert row.loss.value == pytest.approx(first.auroc.value - row.auroc.value)
        assert row.loss.low <= row.loss.value <= row.loss.high
        assert row.text_policy == "full"
    gone = {row.perturbation: row for row in others}
    # without words all studies have one answer
    assert gone["no text"].auroc.value == pytest.approx(0.5)
    assert gone["no text"].changed == 1.0
    assert gone["another patient's text"].loss.value > 0.1


def test_it_is_the_same_twice_and_leaves_the_run_as_it_was(
    run: RunFolder, stress: TextStress
) -> None:
    before = run.record.read_bytes()
    assert stress_text([run], Path(), plan=PLAN) == stress
    assert run.record.read_bytes() == before
    assert stress_text([run], Path(), seed=1, plan=PLAN) != stress


def test_no_text_is_answered_as_by_an_evaluation_without_it(
    small: dict[str, Any], small_runs: Path
) -> None:
    both = finished(small, small_runs, "stressed pictures")
    evaluate_run(both, "synthetic", Path(), without=("text",))
    kept = {one.part: one for one in read_predictions(both.predictions)}
    missing = kept["synthetic-nih14-trained-without-text"]
    stress = stress_text([both], Path(), plan=PLAN)
    (row,) = [row for row in stress.rows if row.perturbation == "no text"]
    assert set(row.inputs) >= {"image"}
    evaluated = both.load_record().evaluations[-1]["metrics"]["trained"]
    assert row.auroc.value == pytest.approx(evaluated["auroc_macro"]["value"], abs=1e-6)
    assert np.isfinite(missing.probabilities).all()


def test_what_reads_no_text_is_refused(
    run: RunFolder, small: dict[str, Any], small_runs: Path
) -> None:
    silent = finished(
        small, small_runs, "stressed silent", text={"test": "none"},
        system={"name": "logistic_image"}, stages=[],
    )  # fmt: skip
    with pytest.raises(InputError, match="reads no text"):
        stress_text([run, silent], Path())
    other = finished(
        small, small_runs, "stressed otherwise", text={"train": "full", "test": "full"},
        image={"encoder": None}, system={"name": "logistic_text"}, stages=[],
        data={**small["data"], "labels": "covid", "at_least": 1},
    )  # fmt: skip
    with pytest.raises(InputError, match="several data sets"):
        stress_text([run, other], Path())


@pytest.mark.parametrize("ending", [".md", ".html", ".csv"])
def test_the_command_writes_the_table(run: RunFolder, tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"stress{ending}"
    runs = str(run.path.parent)
    command = ["experiment", "stress", run.run, "--runs", runs, "-o", str(output)]
    assert main(command) == 0
    text = output.read_text(encoding="utf-8")
    for name in ("as written", "typos", "synonyms", "no stop words", "no text"):
        assert name in text
    if ending == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert len(rows) == 1 + len(PERTURBATIONS)
        assert rows[0]["loss"] == ""
        assert float(rows[1]["auroc"]) <= 1


def test_the_command_prints_it_and_refuses_other_endings(
    run: RunFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["experiment", "stress", run.run, "--runs", str(run.path.parent)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dataset"] == "synthetic nih14"
    assert main([*command, "-o", str(tmp_path / "stress.xlsx")]) != 0
