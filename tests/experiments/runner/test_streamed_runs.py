"""Whole runs that train from shards: killed and resumed, and shared by two processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.batch import StudyBatch
from experiments.config.schema import Experiment
from experiments.datasets.table import Table
from experiments.loading import loader, stream
from experiments.preparation.prepare import Plan, prepare
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder, find_run
from experiments.records.journal import read_metrics
from experiments.records.predictions import read_predictions
from experiments.runner.run import resume_run, run_experiment
from experiments.training.task import Task
from kg.errors import InputError, RunStopped

STILL = {
    "width": 16,
    "neighbourhood": 4,
    "message_passing": {"name": "identity"},
    "dropout": 0.0,
    "token_dropout": 0.0,
    "modality_dropout": 0.0,
    "join": {"name": "knowledge_attention", "options": {"dropout": 0.0}},
    "head": {"name": "concept_dot", "options": {"dropout": 0.0}},
}
CONFIG: dict[str, Any] = {
    "name": "streamed",
    "data": {"name": "table", "labels": "own", "at_least": 2},
    "split": {"kind": "fixed"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64}},
        "frozen": False,
        "augment": True,
    },
    "graph": {"width": 16, "vectors": "random"},
    "system": {"name": "graph_fusion", "options": STILL},
    "stages": [{"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "patience": 0,
                "objectives": {"classification": 1.0}}],
    "concept_sources": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """52 patients of whom everything asked for is stated, in nine shards."""
    raw, rng = tmp_path_factory.mktemp("raw"), np.random.default_rng(5)
    lines = ["study,image,view,Cardiomegaly,Pleural Effusion"]
    for number in range(52):
        pixels = rng.integers(0, 120, (40, 36), dtype=np.uint8)
        pixels[8:20] += 100 * (number % 3 == 0)
        Image.fromarray(pixels).save(raw / f"{number}.png")
        lines.append(f"s{number},{number}.png,frontal,{int(number % 3 == 0)},{number % 2}")
    (raw / "studies.csv").write_text("\n".join(lines))
    out = raw.with_name("shards")
    prepare("table", Table(), raw, out, plan=Plan(side=32, shards=9))
    return out


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page is written, and one worker process reads the shards."""
    monkeypatch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)
    monkeypatch.setattr("experiments.loading.data_source.os.cpu_count", lambda: 1)


def go(root: Path, runs: Path, **changed: Any) -> RunFolder:
    experiment = Experiment.model_validate(CONFIG | changed)
    return find_run(run_experiment(experiment, root=root, runs=runs), runs)


def wait_for_workers(folder: RunFolder) -> None:
    """Those that read for a killed run end with it, and let go of its lock."""
    while True:
        with suppress(InputError), folder.hold():
            return
        time.sleep(0.05)


def train_until_killed(root: Path, runs: Path) -> None:
    """Train as `go` does, with one worker, and be killed in the seventh step."""
    plain, steps = Task.training_step, 0

    def killed(task: Task, batch: Any, place: int) -> Any:
        nonlocal steps
        steps += 1
        if steps == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(task, batch, place)

    Task.training_step = killed  # type: ignore[method-assign]
    os.cpu_count = lambda: 1
    go(root, runs)


def weights(folder: RunFolder, name: str) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder.checkpoints / name).tensors)


def test_killed_in_an_epoch_and_resumed_ends_at_the_same_weights(
    root: Path, tmp_path: Path, straight: RunFolder, processes: Any
) -> None:
    # a process of its own: a fork would inherit the threads and handles of the tests before
    ended = processes.run(sys.executable, __file__, root, tmp_path / "killed")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    (folder,) = [RunFolder(p.parent) for p in (tmp_path / "killed").glob("*/config.yaml")]
    assert load_checkpoint(folder.checkpoints / "last").state["global_step"] == 4
    assert folder.load_record().status != "finished"
    wait_for_workers(folder)
    torch.manual_seed(99)  # another process would not have the same randomness
    resume_run(folder, root)
    assert folder.load_record().status == "finished"
    for name in ("best", "last"):
        one, other = weights(straight, name), weights(folder, name)
        assert all(torch.equal(one[key], other[key]) for key in one), name
    assert read_metrics(straight.metrics) == read_metrics(folder.metrics)
    assert straight.predictions.read_bytes() == folder.predictions.read_bytes()


def in_the_worker(monkeypatch: pytest.MonkeyPatch, turn: int, act: Callable[[], object]) -> None:
    """Let the process that reads do something before its batch of some turn."""
    plain, main = stream._Lanes.__getitems__, os.getpid()

    def read(lanes: stream._Lanes, drawn: list[stream.Draw]) -> StudyBatch:
        if os.getpid() != main and drawn[0][:2] == (0, turn * 8):
            act()
        return plain(lanes, drawn)

    monkeypatch.setattr(stream._Lanes, "__getitems__", read)


def hang() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)  # ends by nothing but SIGKILL


def ended(runs: Path, caught: pytest.ExceptionInfo[BaseException]) -> RunFolder:
    """The folder of a run that broke off: it says how to go on, and no worker is left."""
    (folder,) = [RunFolder(path.parent) for path in runs.glob("*/config.yaml")]
    assert caught.value.__notes__ == [f"kgdx experiment resume {folder.path}"]
    assert folder.load_record().status == "stopped"
    assert not multiprocessing.active_children()
    return folder


@pytest.fixture(scope="module")
def straight(root: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)
        patch.setattr("experiments.loading.data_source.os.cpu_count", lambda: 1)
        return go(root, tmp_path_factory.mktemp("straight"))


FATES: dict[str, tuple[Callable[[], object], str]] = {
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed"),
    "ended": (lambda: os._exit(3), "was killed"),
    "hangs": (hang, "hangs: nothing came from it in 1 seconds"),
}


@pytest.mark.parametrize("fate", FATES)
def test_a_reader_that_dies_or_hangs_ends_the_run_which_is_resumed(
    root: Path, tmp_path: Path, straight: RunFolder, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    act, said = FATES[fate]
    with monkeypatch.context() as patch:
        in_the_worker(patch, 2, act)
        patch.setattr(loader, "PATIENCE", 1 if fate == "hangs" else 600)
        with pytest.raises(RunStopped, match=said) as caught:
            go(root, tmp_path)
    assert caught.value.exit_code == 4
    folder = ended(tmp_path, caught)
    assert said in folder.load_record().reason
    resume_run(folder, root)
    one, other = weights(straight, "last"), weights(folder, "last")
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("turn", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_while_a_reader_hangs(
    root: Path,
    tmp_path: Path,
    straight: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    turn: int,
    number: signal.Signals,
) -> None:
    main = os.getpid()

    def interrupt() -> None:
        os.kill(main, number)
        hang()

    before = signal.signal(number, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            in_the_worker(patch, turn, interrupt)
            with pytest.raises(KeyboardInterrupt) as caught:
                go(root, tmp_path)
    finally:
        signal.signal(number, before)
    folder = ended(tmp_path, caught)
    steps = load_checkpoint(folder.checkpoints / "last").state["global_step"]
    assert steps <= turn  # a reader is ahead of the training
    resume_run(folder, root)
    one, other = weights(straight, "last"), weights(folder, "last")
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_signal_between_two_steps_keeps_the_last_one(
    root: Path, tmp_path: Path, straight: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, waits = loader.TrainingLoader.__iter__, 0

    def watched(self: loader.TrainingLoader) -> Iterator[Any]:
        answer = self.on_wait

        def wait() -> None:
            nonlocal waits
            waits += 1
            if waits == 4:  # after the third step
                os.kill(os.getpid(), signal.SIGINT)
            answer()

        self.on_wait = wait
        return plain(self)

    with monkeypatch.context() as patch:
        patch.setattr(loader.TrainingLoader, "__iter__", watched)
        with pytest.raises(KeyboardInterrupt) as caught:
            go(root, tmp_path)
    folder = ended(tmp_path, caught)
    assert load_checkpoint(folder.checkpoints / "last").state["global_step"] == 3
    resume_run(folder, root)
    one, other = weights(straight, "last"), weights(folder, "last")
    assert all(torch.equal(one[key], other[key]) for key in one)


Lanes = stream._Lanes


class BothShares(Lanes):
    """What two processes read of a batch, in one."""

    def __init__(self, cohort: stream.StreamedCohort, order: stream.StudyOrder) -> None:
        super().__init__(cohort, order)
        shares = (cohort.order(order.batch_size, order.seed, rank=r, processes=2) for r in (0, 1))
        self.shares = [Lanes(cohort, share) for share in shares]

    def __getitems__(self, drawn: list[stream.Draw]) -> StudyBatch:
        epoch, start, here = drawn[0]
        parts = [share.samples(epoch, start, here // 2) for share in self.shares]
        return self.cohort.of_samples([*parts[0], *parts[1]], None)


def test_two_processes_train_what_one_does_on_the_same_studies(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = CONFIG["image"] | {"augment": False}
    shared = go(root, tmp_path, image=image, devices=2)
    assert shared.load_record().device.startswith("2 x ")
    assert shared.load_record().split_counts["train"] % 2 == 0
    monkeypatch.setattr(stream, "_Lanes", BothShares)
    alone = go(root, tmp_path, image=image)
    losses = [[row["loss/classification"] for row in read_metrics(run.metrics)]
              for run in (alone, shared)]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] != losses[0][0]
    answers = [read_predictions(run.predictions) for run in (alone, shared)]
    for one, two in zip(*answers, strict=True):
        np.testing.assert_allclose(one.probabilities, two.probabilities, rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    train_until_killed(Path(sys.argv[1]), Path(sys.argv[2]))
