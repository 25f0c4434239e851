"""A plan file is checked to the last key; its runs are those of the commands typed one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.cli.main import kgdx
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.plans.matrix import read_matrix
from experiments.plans.plan import RunPlan, make_plan
from experiments.plans.schema import read_plan, shipped_plans
from experiments.plans.tuning import OWN, SPACE, draw
from kg.errors import InputError

VALID = """name: p
systems: [demo, {config: demo, name: other, set: {system.options.width: 32}}]
reference: demo
"""
ENSEMBLE = """ensembles:
  - {name: both, of: [demo, other]}
"""


@pytest.mark.parametrize(
    ("written", "says", "hint"),
    [
        (VALID.replace("reference", "referense"), "p.yaml:3: referense", "reference"),
        (VALID.replace("reference: demo", "reference: dem"), "p.yaml:3: reference: no row", "demo"),
        (VALID + "time_reference: x\n", "p.yaml:4: time_reference: no row is called 'x'", ""),
        (VALID.replace("name: other, ", ""), "p.yaml:2: 2 rows are called 'demo'", "name"),
        (VALID.replace("set:", "sets:"), "p.yaml:2: systems.1.sets", "set"),
        (VALID + "seeds: []\n", "p.yaml:2: no seeds", "seeds: [0]"),
        (VALID + "tune: -1\n", "p.yaml:4: tune", ""),
        (VALID + "folds: 3\n", "p.yaml:4: folds", ""),
        (VALID + ENSEMBLE.replace("other]", "othr]"), "p.yaml:5: ensembles: no row", "other"),
        (VALID + ENSEMBLE.replace("both", "demo"), "p.yaml:2: 2 rows are called 'demo'", "name"),
        (VALID + ENSEMBLE + "  - {name: both, of: [demo]}\n", "p.yaml:5: 2 rows are", "name"),
        (VALID + ENSEMBLE.replace("other]", "demo]"), "p.yaml:5: both joins a row twice", "once"),
        (VALID + ENSEMBLE.replace("[demo, other]", "[]"), "p.yaml:5: ensembles.0.of", ""),
        (VALID.replace("reference: demo", "reference: both") + ENSEMBLE, "no row is called", ""),
    ],
)
def test_a_mistake_is_named_with_line_and_key(
    tmp_path: Path, written: str, says: str, hint: str
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_plan(str(path))
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (VALID.replace("demo, {config: demo", "demo, {config: dmo"), "no configuration is called"),
        (VALID.replace("system.options.width: 32", "graph.with: 16"), "graph.with"),
        (
            VALID.replace(", set: {system.options.width: 32}", ""),
            "demo, seed 0 and other, seed 0 are the",
        ),
        (VALID + "seeds: [0, 0]\n", "demo, seed 0 and demo, seed 0 are the same run"),
        (VALID + "folds: [0]\nset: {split.kind: folds, split.folds: 0}\n", "split.fold"),
        (VALID + "tune: 2\nmetric: f1_macro\n", "tune: no setting is chosen by f1_macro"),
        (VALID + ENSEMBLE + "metric: f1_macro\n", "ensembles: no ensemble is measured by f1_macro"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(
    tmp_path: Path, written: str, says: str
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        make_plan(read_plan(str(path)))


def test_a_run_of_a_plan_is_the_run_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(VALID + "seeds: [0, 3]\nfolds: [1, 2]\nset: {split.kind: folds}\n", "utf-8")
    plan = make_plan(read_plan(str(path)))
    typed = resolve("demo", ["split.kind=folds", "split.fold=2", "seed=3"])
    assert plan.rows["demo"][-1].digest == config_hash(typed)
    assert plan.rows["demo"][-1].name == "demo, fold 2, seed 3"
    assert [job.experiment.seed for job in plan.jobs] == [0] * 4 + [3] * 4
    assert list(make_plan(read_plan(str(path)), systems=["other"]).rows) == ["demo", "other"]
    laid = make_plan(read_plan(str(path)), ["graph.width=24"], ["other"])
    assert {job.experiment.graph.width for job in laid.rows["other"]} == {24}
    with pytest.raises(InputError, match="fold 1, seed 7 and demo, fold 1, seed 7 are the same"):
        make_plan(read_plan(str(path)), ["seed=7"])


def test_an_ensemble_has_no_runs_of_its_own_and_is_run_as_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    third = VALID.replace("}}]", "}}, {config: demo, name: third, set: {graph.width: 16}}]")
    path.write_text(third + ENSEMBLE, encoding="utf-8")
    plan = make_plan(read_plan(str(path)))
    assert len(plan.jobs) == 3
    assert plan.ensembles == {"both": ("demo", "other")}
    named = make_plan(read_plan(str(path)), systems=["both"])
    assert list(named.rows) == ["demo", "other"]
    without = make_plan(read_plan(str(path)), systems=["third"])
    assert (list(without.rows), without.ensembles) == (["demo", "third"], {})


@pytest.mark.parametrize("name", sorted(shipped_plans()))
def test_a_shipped_plan_names_what_is_there(name: str) -> None:
    matrix = read_matrix(name)
    plan = make_plan(matrix.as_plan() if matrix else read_plan(name))
    assert plan.file.name == name
    assert plan.file.about
    assert len({job.digest for job in plan.jobs}) == len(plan.jobs)


def test_every_system_is_given_the_same_settings_and_keeps_to_the_space() -> None:
    settings = draw(8)
    assert len(settings) == 8
    assert draw(3) == dict(list(settings.items())[:3])
    for setting in settings.values():
        assert all(one.low <= setting[one.name] <= one.high for one in SPACE)


def test_a_setting_is_a_factor_on_what_a_system_has(plan_file: Path) -> None:
    plan = make_plan(read_plan(str(plan_file)))
    setting = draw(1)["setting 1"]
    tiny = plan.tried["tiny"]
    own, tried = (tiny[name].experiment for name in (OWN, "setting 1"))
    assert own == plan.rows["tiny"][0].experiment
    assert tried.name == "tiny-setting-1"
    rate = own.stages[0].learning_rate * setting["learning_rate"]
    assert tried.stages[0].learning_rate == pytest.approx(rate, rel=0.01)
    assert tried.stages[0].epochs == 1
    assert tried.system.options["dropout"] == setting["dropout"]
    logistic = plan.tried["logistic"]["setting 1"].experiment
    assert logistic.stages == ()
    assert list(logistic.system.options) == ["strength"]


def test_the_dry_run_says_what_is_there_and_what_it_costs(
    plan_file: Path, finished_runs: Path, tmp_path: Path
) -> None:
    command = ["experiment", "plan", str(plan_file), "--dry-run", "--workers", "2", "--runs"]
    ended = CliRunner().invoke(kgdx, [*command, str(tmp_path)])
    assert "20 of 20 runs are not finished; no finished run says how long" in ended.stdout
    assert "learning_rate x 0.3 to 3" in ended.stdout
    assert "Then up to 10 runs with the settings that are best on validation" in ended.stdout
    assert list(tmp_path.iterdir()) == []
    there = CliRunner().invoke(kgdx, [*command, str(finished_runs), "--json"])
    assert {row["state"] for row in json.loads(there.stdout)["runs"]} == {"finished"}
    wrong = CliRunner().invoke(kgdx, ["experiment", "plan", str(plan_file), "-o", "a.tex"])
    assert "cannot be written as .tex" in str(wrong.exception)


def test_parents_are_counted_with_the_runs(tiny_plan: RunPlan) -> None:
    assert sum(len(jobs) for jobs in tiny_plan.rows.values()) == 10


def test_a_plan_is_laid_over_its_base(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(VALID + "folds: [1, 2]\nset: {split.kind: folds}\n", "utf-8")
    above = tmp_path / "above.yaml"
    above.write_text("base: p.yaml\nname: above\nset: {split.kind: fixed}\nfolds: []\n", "utf-8")
    plan = make_plan(read_plan(str(above)))
    assert plan.file.name == "above"
    assert [job.name for job in plan.jobs] == ["demo, seed 0", "other, seed 0"]
    assert {job.experiment.split.kind for job in plan.jobs} == {"fixed"}
    above.write_text("base: p.yaml\nname: above\nfolds: 3\n", "utf-8")
    with pytest.raises(InputError, match=r"above.yaml:3: folds"):
        read_plan(str(above))
    above.write_text("base: q.yaml\nname: above\n", "utf-8")
    with pytest.raises(InputError, match=r"above.yaml:1: base: there is no file"):
        read_plan(str(above))
