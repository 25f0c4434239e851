"""An ablation runs what is missing, resumes what broke, does nothing twice, compares its arms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.ablate.plan import make_plan
from experiments.ablate.result import AblationResult, answer, result_of
from experiments.ablate.schema import read_ablation
from experiments.cli.main import kgdx
from experiments.plans import execute
from experiments.plans.jobs import stand
from experiments.runner.run import run_experiment
from kg.errors import InputError

BASE = """
name: tiny
data:
  name: synthetic
  labels: nih14
  options: {studies: 40, cxr: 1.0, ct: 0.0, size: 64}
  at_least: 1
  blank: ignore
split: {kind: fixed}
text: {train: indication, test: indication}
image:
  encoder: {name: tiny_cnn, options: {size: 32, width: 64, weights: random}}
  grid: 2
  reduce: 16
graph: {width: 16}
system: {name: graph_fusion, options: {width: 32, memory: 4}}
stages:
  - epochs: 1
    objectives:
      {classification: 1.0, concept_supervision: 1.0, hierarchy: 0.1, link_prediction: 0.1}
"""
ABLATION = """
name: tiny_ablation
about: Does it run?
base: tiny.yaml
seeds: [0]
reference: full
primary: [no memory]
arms:
  full: {}
  no memory: {system.options.neighbourhood: 0}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of a finished ablation, and its folder of runs; one of them was there before."""
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "tiny.yaml").write_text(BASE, encoding="utf-8")
    (folder / "ablation.yaml").write_text(ABLATION, encoding="utf-8")
    file, runs = folder / "ablation.yaml", folder / "runs"
    run_experiment(make_plan(read_ablation(str(file))).jobs[0].experiment, root=runs, runs=runs)
    command = ["experiment", "ablate", str(file), "--runs", str(runs)]
    ended = CliRunner().invoke(kgdx, [*command, "--workers", "2"], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert "1 of 2 runs are not finished" in ended.stderr
    assert "full against no memory: too few positives to compare them." in ended.stdout
    assert "no memory, seed 0:" in ended.stderr
    return file, runs


def test_a_fold_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(BASE.replace("fixed", "folds"), encoding="utf-8")
    (tmp_path / "ablation.yaml").write_text(f"{ABLATION}folds: [0, 7]\n", encoding="utf-8")
    file = read_ablation(str(tmp_path / "ablation.yaml"))
    with pytest.raises(InputError, match="split.fold=7: split.fold: none of the 5 folds has"):
        make_plan(file)
    # what the user lays over the folds stands
    assert {job.experiment.split.fold for job in make_plan(file, ["split.fold=1"]).jobs} == {1}


def test_the_result_is_kept_and_read_back_equal(done: tuple[Path, Path]) -> None:
    file, runs = done
    kept = runs / "ablations" / "tiny_ablation" / "ablation.json"
    result = AblationResult.from_json(json.loads(kept.read_text()))
    assert result == result_of(make_plan(read_ablation(str(file))), runs)
    assert result.channels["no memory"]["neighbourhood"] == "-"
    (one,) = result.settings
    assert [entry.name for entry in one.comparison.entries] == ["full", "no memory"]
    assert one.comparison.between("full", "no memory")[0].family == "primary"
    (sentence,) = answer(result)
    assert "full" in sentence
    assert "no memory" in sentence


def test_a_second_time_nothing_runs(
    done: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, runs = done
    monkeypatch.setattr(execute.subprocess, "Popen", lambda *_, **__: pytest.fail("it ran"))
    plan = make_plan(read_ablation(str(file)))
    execute.run_missing(plan.jobs, Path(), runs, ("",))
    assert {state for state, _ in stand(plan.jobs, runs).values()} == {"finished"}


def test_what_is_missing_is_said(done: tuple[Path, Path]) -> None:
    file, runs = done
    plan = make_plan(read_ablation(str(file)))
    folder = stand(plan.jobs, runs)[plan.jobs[0].digest][1]
    assert folder is not None
    record = folder.load_record()
    replace(record, status="stopped").save(folder.record)
    with pytest.raises(InputError, match="1 of 2 runs are not finished"):
        result_of(plan, runs)
    record.save(folder.record)


def test_the_plan_is_printed_and_nothing_is_run(done: tuple[Path, Path], tmp_path: Path) -> None:
    command = ["experiment", "ablate", "ablate_graph_openi", "--plan", "--runs", str(tmp_path)]
    ended = CliRunner().invoke(kgdx, command)
    assert ended.exit_code == 0
    assert "30 of 30 runs are not finished" in ended.stdout
    assert "plain vectors" in ended.stdout
    some = CliRunner().invoke(kgdx, [*command, "--json", "--arm", "shuffled"])
    plan = json.loads(some.stdout)
    assert list(plan["arms"]) == ["full", "shuffled"]
    assert len(plan["runs"]) == 10
    wrong = CliRunner().invoke(kgdx, [*command, "--arm", "shufled"])
    assert wrong.exit_code == 3 or "shufled" in str(wrong.exception)
