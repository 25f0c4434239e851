"""A run shared by two processes: the weights of one, exact to resume, and clear where it fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.config.schema import Experiment
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder, find_run
from experiments.records.journal import read_metrics
from experiments.records.predictions import read_predictions
from experiments.runner import run as running
from experiments.runner.run import resume_run, run_experiment, train
from experiments.runs.build import RunContext
from experiments.training.distributed import ProcessContext
from experiments.training.task import Task
from kg.errors import InputError, RunStopped

Values = dict[str, Any]
Go = Callable[[Values], RunFolder]


@pytest.fixture(scope="module")
def values(small: Values) -> Values:
    """The small run without chance."""
    options = {"width": 32, "neighbourhood": 4, "message_passing": {"name": "identity"}}
    still = {"dropout": 0.0, "token_dropout": 0.0, "modality_dropout": 0.0}
    still |= {"join": {"name": "knowledge_attention", "options": {"dropout": 0.0}}}
    still |= {"head": {"name": "concept_dot", "options": {"dropout": 0.0}}}
    stage = {"epochs": 4, "batch_size": 6, "patience": 0, "objectives": {"classification": 1.0}}
    system = {"name": "graph_fusion", "options": options | still}
    data = {**small["data"], "options": {**small["data"]["options"], "studies": 41}}
    words = {"name": "tiny_transformer", "options": {"dropout": 0.0}}
    return {
        **small,
        "name": "shared",
        "data": data,
        "text": {**small["text"], "encoder": words},
        "system": system,
        "stages": [stage],
    }


@pytest.fixture(scope="module")
def go(small_runs: Path) -> Go:
    """Runs a configuration as far as the test of its last weights."""

    def give(values: Values) -> RunFolder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)
            experiment = Experiment.model_validate(values)
            return find_run(
                run_experiment(experiment, root=small_runs, runs=small_runs), small_runs
            )

    return give


@pytest.fixture(scope="module")
def shared(go: Go, values: Values) -> RunFolder:
    return go({**values, "devices": 2})


def weights(folder: RunFolder, name: str = "best") -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(folder.checkpoints / name).tensors)


def test_two_processes_train_what_one_does(go: Go, values: Values, shared: RunFolder) -> None:
    alone = go(values)
    assert alone.load_record().split_counts["train"] % 2 == 0  # or one would wait for each epoch
    runs = (alone, shared)
    losses = [[row["loss/classification"] for row in read_metrics(run.metrics)] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    answers = [read_predictions(run.predictions) for run in runs]
    for one, two in zip(*answers, strict=True):
        np.testing.assert_allclose(one.probabilities, two.probabilities, rtol=1e-3, atol=1e-4)
    assert shared.load_record().device.startswith("2 x ")


def test_stopped_and_resumed_two_processes_end_at_the_same_weights(
    go: Go, values: Values, shared: RunFolder, small_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, count = Task.training_step, 0

    def interrupted(task: Task, batch: Any, place: int) -> Any:
        nonlocal count
        count += 1
        if count == 9:
            os.kill(os.getpid(), signal.SIGTERM)  # heard after the tenth step, in both processes
        return plain(task, batch, place)

    before = {*small_runs.iterdir()}
    heard: list[int] = []
    listening = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Task, "training_step", interrupted)
            with pytest.raises(KeyboardInterrupt):
                go({**values, "devices": 2})
    finally:
        signal.signal(signal.SIGTERM, listening)
    assert heard == [signal.SIGTERM]
    (folder,) = [RunFolder(path) for path in {*small_runs.iterdir()} - before]
    assert load_checkpoint(folder.checkpoints / "last").state["global_step"] == 10
    monkeypatch.setattr("experiments.reports.run_page.write_run_page", lambda path: path)
    resume_run(folder, small_runs)
    for name in ("best", "last"):
        first, second = weights(shared, name), weights(folder, name)
        assert all(torch.equal(first[key], second[key]) for key in first), name
    assert folder.predictions.read_bytes() == shared.predictions.read_bytes()


def test_a_process_that_dies_ends_the_run(
    go: Go, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "experiments.training.distributed.WORKER", "experiments.runner.no_such_module"
    )
    with pytest.raises(RunStopped, match="another process of the run ended with 1"):
        go({**values, "name": "died", "devices": 2})


KILLED = """
import os, signal
from pathlib import Path
from experiments.training import distributed
distributed._join = lambda folder, others: os.kill(os.getpid(), signal.SIGKILL)
with distributed.process_group(Path("run"), Path("."), devices=2):
    pass
"""


def test_processes_that_wait_for_a_leader_end_when_it_is_killed(processes: Any) -> None:
    """They hold its output open, so that this would wait for as long as they do: twelve hours."""
    ended = processes.python(KILLED)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_batch_that_cannot_be_shared_is_refused(
    make: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    with pytest.raises(InputError, match=r"stages\.0\.batch_size: 2 devices cannot share"):
        train(new_folder(), make({"batch_size": 5}), ProcessContext(processes=2))


def test_torchrun_with_another_number_is_refused(
    go: Go, values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="2 were requested, torchrun started 4"):
        go({**values, "name": "fourfold", "devices": 2})
    assert running.is_worker() is False
