"""A plan runs what is missing, parents first, never twice at once, and goes on after a kill."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from experiments.plans import execute
from experiments.plans.cost import cost_of
from experiments.plans.jobs import Job, stand, with_parents
from experiments.plans.plan import RunPlan, make_plan
from experiments.plans.schema import read_plan
from experiments.records.folder import RunFolder
from kg.errors import RunStopped


def ran(trainer: Path) -> list[str]:
    """What the stand-in was asked to run, in order."""
    log = trainer / "log"
    return log.read_text(encoding="utf-8").splitlines() if log.is_file() else []


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    while not true():
        time.sleep(0.02)


def test_everything_runs_once_and_a_parent_before_what_starts_from_it(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    heard: list[str] = []
    execute.run_missing(tiny_plan.jobs, tmp_path, tmp_path / "runs", ("", ""), report=heard.append)
    done = ran(trainer)
    assert Counter(line.split()[1] for line in done) == {
        "tiny": 4, "probe": 4, "pretrained": 4, "logistic": 2,
    }  # fmt: skip
    for draw in ("0 0", "1 0", "0 1", "1 1"):
        assert done.index(f"run pretrained {draw}") < done.index(f"run probe {draw}")
    assert heard[0].startswith("[1/14] ")
    assert heard[-1].startswith("[14/14] ")
    execute.run_missing(tiny_plan.jobs, tmp_path, tmp_path / "runs", ("",))
    assert ran(trainer) == done
    assert list((tmp_path / "runs" / "locks").iterdir()) == []


def test_where_a_parent_fails_its_children_do_not_run_and_all_others_do(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    (trainer / "fails").write_text("pretrained 1", encoding="utf-8")
    heard: list[str] = []
    with pytest.raises(RunStopped, match="4 of 14 runs did not finish") as stopped:
        execute.run_missing(tiny_plan.jobs, tmp_path, tmp_path / "runs", ("",), report=heard.append)
    assert "pretrained, fold 1, seed 0" in stopped.value.message
    assert any("ended with 1: error: no such folder     name one" in line for line in heard)
    assert sum("what it starts from did not finish" in line for line in heard) == 2
    (trainer / "fails").unlink()
    execute.run_missing(tiny_plan.jobs, tmp_path, tmp_path / "runs", ("",))
    assert {state for state, _ in stand(tiny_plan.jobs, tmp_path / "runs").values()} == {"finished"}
    counts = Counter(ran(trainer))
    assert {line for line, count in counts.items() if count > 1} == {
        "run pretrained 1 0", "run pretrained 1 1",
    }  # fmt: skip


def test_two_plans_at_once_share_the_runs(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    (trainer / "slow").touch()
    runs = tmp_path / "runs"
    words = (tiny_plan.jobs, tmp_path, runs, ("", ""))
    both = [threading.Thread(target=execute.run_missing, args=words) for _ in range(2)]
    for one in both:
        one.start()
    until(lambda: len(ran(trainer)) == 4)
    (trainer / "slow").unlink()
    for one in both:
        one.join()
    assert set(Counter(ran(trainer)).values()) == {1}
    assert len(ran(trainer)) == 14


def test_an_interrupted_plan_stops_its_runs_and_goes_on_with_them(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    (trainer / "slow").touch()
    runs = tmp_path / "runs"

    def interrupt() -> None:
        until(lambda: len(list(runs.glob("*/checkpoints/x/y"))) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        execute.run_missing(tiny_plan.jobs, tmp_path, runs, ("", ""))
    thread.join()
    states = Counter(state for state, _ in stand(tiny_plan.jobs, runs).values())
    assert states == {"broken": 2, "missing": 8}
    (trainer / "slow").unlink()
    execute.run_missing(tiny_plan.jobs, tmp_path, runs, ("", ""))
    assert sum(line.startswith("resume") for line in ran(trainer)) == 2
    assert {state for state, _ in stand(tiny_plan.jobs, runs).values()} == {"finished"}


def test_a_run_that_another_command_trains_is_waited_for(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    job, runs = tiny_plan.jobs[0], tmp_path / "runs"
    other = RunFolder.create(runs, job.experiment)
    with other.hold():
        assert stand([job], runs)[job.digest] == ("running", other)
        thread = threading.Thread(target=execute.run_missing, args=([job], tmp_path, runs, ("",)))
        thread.start()
        time.sleep(0.5)
        assert ran(trainer) == []
    thread.join()  # its folder is gone, or free: the run is made
    assert len(ran(trainer)) == 1


def test_a_killed_run_counts_as_broken_and_a_finished_one_wins(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    job, runs = tiny_plan.jobs[0], tmp_path / "runs"
    execute.run_missing([job], tmp_path, runs, ("",))
    folder = stand([job], runs)[job.digest][1]
    assert folder is not None
    second = RunFolder.create(runs, job.experiment)
    replace(folder.load_record(), status="running", run=second.run).save(second.record)
    assert stand([job], runs)[job.digest] == ("finished", folder)
    folder.record.unlink()
    assert stand([job], runs)[job.digest] == ("broken", second)


def test_a_run_that_diverged_is_told_and_not_run_again(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    runs, parent = tmp_path / "runs", tiny_plan.rows["probe"][0].parents[0]
    execute.run_missing([parent], tmp_path, runs, ("",))
    folder = stand([parent], runs)[parent.digest][1]
    assert folder is not None
    replace(folder.load_record(), status="diverged").save(folder.record)
    jobs = [*tiny_plan.rows["probe"][:1], *tiny_plan.rows["logistic"]]
    every = with_parents(jobs)
    said = cost_of(every, stand(every, runs), runs).sentence(1)
    assert said.startswith("3 of 4 runs are not finished (1 more diverged)")
    with pytest.raises(RunStopped, match="2 of 4 runs did not finish, the first is pretrained"):
        execute.run_missing(jobs, tmp_path, runs, ("",))
    assert [line.split()[1] for line in ran(trainer)] == ["pretrained", "logistic", "logistic"]


def test_a_configuration_that_starts_from_itself_is_refused(tmp_path: Path) -> None:
    from experiments.config.load import resolve
    from kg.errors import InputError

    path = tmp_path / "own.yaml"
    path.write_text(
        "name: own\ndata: {name: synthetic, labels: nih14}\nsystem: {name: convirt}\n"
        f"start: [{{experiment: {path}, take: {{}}}}]\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="own starts from itself"):
        with_parents([Job("own", resolve(str(path)))])


def test_the_cost_is_that_of_finished_runs_of_the_name_else_of_the_system(
    tiny_plan: RunPlan, trainer: Path, tmp_path: Path
) -> None:
    every, runs = with_parents(tiny_plan.jobs), tmp_path / "runs"
    nothing = cost_of(every, stand(every, runs), runs)
    assert nothing.sentence(2) == (
        "14 of 14 runs are not finished; no finished run says how long they take"
    )
    execute.run_missing(tiny_plan.jobs[:1], tmp_path, runs, ("",))
    other = tiny_plan.rows["logistic"][0].experiment.model_copy(update={"name": "another"})
    execute.run_missing([Job("another", other)], tmp_path, runs, ("",))
    cost = cost_of(every, stand(every, runs), runs)
    rows = {row.name: (row.left, row.seconds) for row in cost.rows}
    assert rows == {
        "tiny": (3, 2.0), "pretrained": (4, None), "probe": (4, None), "logistic": (2, 2.0),
    }  # fmt: skip
    assert cost.sentence(2) == (
        "13 of 14 runs are not finished: about 10 s of computing, and 8 runs of unknown time; "
        "5 s at 2 runs at a time"
    )


FORTY = """
name: forty
about: Is every run made once?
systems:
  - {config: FOLDER/tiny.yaml, seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}
  - {config: FOLDER/logistic.yaml, seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}
reference: tiny
seeds: [0]
folds: [0, 1]
"""


def forty_runs(folder: Path, plan_file: Path) -> RunPlan:
    """A plan of 40 runs."""
    path = folder / "forty.yaml"
    path.write_text(FORTY.replace("FOLDER", str(plan_file.parent)), encoding="utf-8")
    plan = make_plan(read_plan(str(path)))
    assert len(plan.jobs) == 40
    return plan


def kill_one(processes: Callable[[], Iterator[int]], trainer: Path, runs: Path) -> None:
    """Kill, once, a process of a run that has begun, as a machine that fails would."""
    until(lambda: len(list(runs.glob("*/checkpoints/x/y"))) >= 1)
    (trainer / "slow").touch()
    until(lambda: len([*processes()]) >= 1)
    os.kill(next(processes()), signal.SIGKILL)
    (trainer / "slow").unlink()


def processes_of(words: bytes) -> Iterator[int]:
    """Numbers of the processes with one of their first two words beginning so."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if any(one.startswith(words) for one in place.read_bytes().split(b"\0")[:2]):
                yield int(place.parent.name)


def forty_survive(
    places: tuple[str, ...],
    launch: execute.Launch | None,
    folder: Path,
    plan: RunPlan,
    *,
    killed: bytes = b"",
) -> None:
    """Nothing is lost and nothing is begun twice where one process is killed."""
    trainer, runs = folder / "trainer", folder / "runs"
    words = killed or str(trainer / "train.py").encode()
    killer = threading.Thread(target=kill_one, args=(partial(processes_of, words), trainer, runs))
    killer.start()
    with pytest.raises(RunStopped, match="1 of 40 runs did not finish"):
        execute.run_missing(plan.jobs, folder, runs, places, launch)
    killer.join()
    first = Counter(state for state, _ in stand(plan.jobs, runs).values())
    assert first["finished"] >= 39
    execute.run_missing(plan.jobs, folder, runs, places, launch)
    verbs = Counter(line.split()[0] for line in ran(trainer))
    assert {state for state, _ in stand(plan.jobs, runs).values()} == {"finished"}
    assert len({line.partition(" ")[2] for line in ran(trainer)}) == verbs["run"] == 40
    assert verbs["resume"] == first["broken"]
    # a run that ends after its worker was killed leaves an empty lock, which nothing holds
    left = list((runs / execute.LOCKS).iterdir())
    assert [one.stat().st_size for one in left] == [0] * (first["broken"] == 0)


@pytest.mark.benchmark
def test_forty_runs_survive_a_killed_worker(plan_file: Path, trainer: Path, tmp_path: Path) -> None:
    forty_survive(("", ""), None, tmp_path, forty_runs(tmp_path, plan_file))


@pytest.mark.benchmark  # ray gives itself 30 seconds to start: too few on a busy machine
@pytest.mark.parametrize("killed", [b"", b"ray::_Runner"], ids=["training", "worker"])
def test_forty_runs_survive_a_kill_under_ray(
    plan_file: Path, trainer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bytes
) -> None:
    from experiments.plans.ray_cluster import ray_machines

    monkeypatch.setenv("HOME", str(tmp_path))  # where ray writes the token of a new cluster
    with ray_machines("local") as machines:
        plan = forty_runs(tmp_path, plan_file)
        forty_survive(machines.places(2), machines.launch, tmp_path, plan, killed=killed)
