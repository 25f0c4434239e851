"""A sweep tries settings of the space of plans, on validation alone, and goes on where it ended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from experiments.cli.main import main
from experiments.config.load import resolve
from experiments.plans import execute
from experiments.plans.execute import Workers
from experiments.plans.jobs import Job
from experiments.plans.plan import RunPlan
from experiments.plans.sweep import LOOK, STARTUP, Sweep
from experiments.plans.tuning import SPACE, candidates, draw, own_setting, space_of, with_setting
from kg.errors import InputError

METRIC = "auroc_macro"


@pytest.fixture
def job(tiny_plan: RunPlan) -> Job:
    return tiny_plan.rows["tiny"][0]


def test_the_space_of_a_configuration_is_what_it_has_of_that_of_plans(tiny_plan: RunPlan) -> None:
    tiny, probe, logistic = (tiny_plan.rows[name][0] for name in ("tiny", "probe", "logistic"))
    assert [one.name for one in space_of(tiny.experiment)] == [
        "learning_rate", "weight_decay", "epochs", "dropout",
    ]  # fmt: skip
    assert [one.name for one in space_of(logistic.experiment)] == ["strength"]
    assert set(space_of(probe.experiment)) <= set(SPACE)
    setting = draw(1)["setting 1"]
    tried = candidates("tiny", tiny, 1)["setting 1"].experiment
    swept = with_setting("tiny", tiny, setting, "tune").experiment
    assert swept.model_copy(update={"name": tried.name}) == tried
    unchanged = with_setting("tiny", tiny, own_setting(tiny.experiment), "tune").experiment
    assert unchanged.system.options["dropout"] == own_setting(tiny.experiment)["dropout"]


def test_own_values_are_tried_first_and_the_best_on_validation_is_chosen(
    job: Job, trainer: Path, tmp_path: Path
) -> None:
    sweep, said = Sweep(job, METRIC, tmp_path / "runs"), []
    sweep.run(STARTUP, Workers(tmp_path, tmp_path / "runs", [""]), said.append)
    rows = sweep.rows()
    assert [row.state for row in rows] == ["finished"] * STARTUP
    assert rows[0].setting == own_setting(job.experiment)
    assert rows[0].run.startswith("tiny-")
    for one in space_of(job.experiment):
        assert all(one.low <= row.setting[one.name] <= one.high for row in rows)
    row, best = sweep.best()
    assert row.score == max(one.score for one in rows) > rows[0].score
    assert best.experiment.system.options["dropout"] == pytest.approx(
        row.setting["dropout"], abs=0.001
    )
    assert len(said) == STARTUP
    assert all("on validation" in line for line in said)


def test_an_interrupted_sweep_goes_on_and_runs_nothing_twice(
    job: Job, trainer: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    heard: list[str] = []

    def interrupt(line: str) -> None:
        heard.append(line)
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sweep(job, METRIC, runs).run(4, Workers(tmp_path, runs, ["", ""]), interrupt)
    again = Sweep(job, METRIC, runs)
    again.run(4, Workers(tmp_path, runs, ["", ""]), heard.append)
    assert [row.state for row in again.rows()] == ["finished"] * 4, again.rows()
    started = Counter((trainer / "log").read_text(encoding="utf-8").splitlines())
    assert sum(count for line, count in started.items() if line.startswith("run ")) == 4
    again.run(4, Workers(tmp_path, runs, [""]), lambda line: pytest.fail(line))


def test_a_run_worse_than_the_median_is_stopped(
    job: Job, trainer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.plans.sweep.LOOK", LOOK / 20)
    runs, said = tmp_path / "runs", []
    sweep = Sweep(job, METRIC, runs)
    sweep.run(STARTUP + 1, Workers(tmp_path, runs, [""]), said.append)
    middle = sorted(row.setting["dropout"] for row in sweep.rows())[2]
    (trainer / "endless_below").write_text(str(middle - 0.05))
    sweep.study.enqueue_trial({**own_setting(job.experiment), "dropout": 0.0})
    sweep.run(STARTUP + 2, Workers(tmp_path, runs, [""]), said.append)
    row = sweep.rows()[-1]
    assert (row.state, row.score) == ("stopped early", None)
    assert said[-1].endswith("stopped early after 1 validations")


def test_a_run_that_fails_is_a_trial_that_is_never_chosen(
    job: Job, trainer: Path, tmp_path: Path
) -> None:
    (trainer / "fails").write_text("tiny 0")
    runs = tmp_path / "runs"
    sweep = Sweep(job, METRIC, runs)
    sweep.run(2, Workers(tmp_path, runs, [""]), lambda _: None)
    first, second = sweep.rows()
    assert first.state == "not finished"
    assert "no such folder" in first.reason
    assert sweep.best()[0] == second


def test_two_processes_never_tune_the_same(job: Job, tmp_path: Path) -> None:
    one, other = (Sweep(job, METRIC, tmp_path / "runs") for _ in range(2))
    with one._alone(), pytest.raises(InputError, match="another process tunes this"):
        other.run(1, Workers(tmp_path, tmp_path, [""]), lambda _: None)


def test_the_command_prints_the_trials_and_writes_the_best_configuration(
    plan_file: Path, trainer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tuned(plan_file, tmp_path) == 0
    out = capsys.readouterr().out
    assert out.count("finished") == 3
    assert resolve(str(tmp_path / "best.yaml")).name in ("tiny", "tiny-tune")


@pytest.mark.benchmark  # ray gives itself 30 seconds to start: too few on a busy machine
def test_two_workers_of_ray_share_the_trials(
    plan_file: Path,
    trainer: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where ray writes the token of a new cluster
    assert tuned(plan_file, tmp_path, "--workers", "2", "--ray", "local") == 0
    assert capsys.readouterr().out.count("finished") == 3
    assert list((tmp_path / "runs" / execute.LOCKS).iterdir()) == []


def tuned(plan_file: Path, folder: Path, *words: str) -> int:
    """Exit code of three trials of the first configuration of the plan."""
    named = (str(plan_file.parent / "tiny.yaml"), "--runs", str(folder / "runs"))
    output = ("-o", str(folder / "best.yaml"))
    return main(["experiment", "tune", *named, *output, "--trials", "3", *words])


def test_what_has_nothing_to_tune_or_to_judge_by_is_refused(
    plan_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = plan_file.parent / "pretrained.yaml"
    assert main(["experiment", "tune", str(config), "--runs", str(tmp_path)]) == 3
    assert "there is no classification to be judged by" in capsys.readouterr().err
