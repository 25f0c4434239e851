"""A run shared by processes: the weights of one, exact to resume, and clear where it fails."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

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


@pytest.fixture(scope="module")
def contrast(values: Values) -> Values:
    """A contrastive system without chance: each picture is told from all reports of the batch."""
    options = {"width": 16, "space": 16, "hidden": [16], "dropout": 0.0, "token_dropout": 0.0}
    stage = {"epochs": 2, "batch_size": 8, "patience": 0, "monitor": "loss"}
    return {
        **values,
        "name": "contrast",
        "data": {**values["data"], "options": {**values["data"]["options"], "studies": 54}},
        "system": {"name": "chexzero", "options": options},
        "stages": [{**stage, "objectives": {"contrast": 1.0}}],
        "tasks": ["retrieval"],
    }


def losses(folder: RunFolder) -> list[float]:
    return [row["loss/contrast"] for row in read_metrics(folder.metrics)]


@pytest.fixture(scope="module")
def alone(go: Go, contrast: Values) -> RunFolder:
    return go(contrast)


@pytest.mark.parametrize("devices", [2, 4])
def test_several_processes_contrast_with_the_whole_batch(
    go: Go, contrast: Values, alone: RunFolder, devices: int
) -> None:
    """Negatives of all processes count; the losses of the second epoch also tell the weights."""
    assert alone.load_record().split_counts["train"] % 4 == 0
    assert losses(alone)[-1] < losses(alone)[0]
    shared = go({**contrast, "devices": devices})
    assert losses(shared) == pytest.approx(losses(alone), rel=1e-5)


def test_torchrun_starts_the_same_processes(
    contrast: Values, alone: RunFolder, small_runs: Path, tmp_path: Path, processes: Any
) -> None:
    config, runs = tmp_path / "contrast.yaml", tmp_path / "runs"
    config.write_text(yaml.safe_dump({**contrast, "devices": 2}), encoding="utf-8")
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    kgdx = ("-m", "experiments.cli.main", "experiment", "run", config)
    ended = processes.run(*command, *kgdx, "--root", small_runs, "--runs", runs)
    assert ended.returncode == 0, ended.stderr
    (folder,) = [RunFolder(path.parent) for path in runs.glob("*/record.json")]
    assert losses(folder) == pytest.approx(losses(alone), rel=1e-5)
