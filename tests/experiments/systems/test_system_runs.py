"""Every system that is trained by steps: stopped inside any stage, it comes to the same weights."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.schema import Experiment
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.runner.run import train
from experiments.runs.build import RunContext, build_context
from experiments.training.callbacks import StopRequested
from tests.experiments.systems.conftest import CASES, stages_of

BATCHES = 4
"""Batches of six that the training studies of the small data set make."""

TRAINED = [name for name, case in CASES.items() if stages_of(case)]


def small_run(small: dict[str, Any], name: str) -> Experiment:
    """The small run with a system in place of its own, one epoch a stage."""
    case = CASES[name]
    stages = [
        {**stage.model_dump(), "epochs": 1, "batch_size": 6, "accumulate": 1}
        for stage in stages_of(case)
    ]
    system = {"name": case.system, "options": dict(case.options)}
    return Experiment.model_validate({**small, "system": system, "stages": stages, **case.run})


def fresh(made: RunContext) -> RunContext:
    """The run with a copy of its untrained system."""
    graph = made.preprocessor.graph  # large, and never changed
    torch.manual_seed(1)
    return replace(made, system=copy.deepcopy(made.system, {id(graph): graph}))


def stop_after(made: RunContext, steps: int) -> None:
    """Ask this process to stop once the system has taken so many steps."""
    follow: Callable[[], None] = made.system.after_step
    taken = 0

    def count() -> None:
        nonlocal taken
        follow()
        taken += 1
        if taken == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    made.system.after_step = count  # type: ignore[method-assign]


@pytest.mark.parametrize("name", TRAINED)
def test_it_resumes_inside_each_stage_to_the_same_weights(
    small: dict[str, Any], small_runs: Path, tmp_path: Path, name: str
) -> None:
    experiment = small_run(small, name)
    made = build_context(experiment, small_runs, cache=small_runs / "cache")
    assert -(-len(made.cohorts["train"]) // 6) == BATCHES
    whole = RunFolder.create(tmp_path, experiment)
    train(whole, fresh(made))
    for place in range(len(made.system.stages)):
        folder, stopped = RunFolder.create(tmp_path, experiment), fresh(made)
        stop_after(stopped, place * BATCHES + BATCHES // 2)
        with pytest.raises(StopRequested):
            train(folder, stopped)
        assert load_checkpoint(folder.checkpoints / "last").state["stage"] == place
        torch.manual_seed(99)  # another process would not have the same randomness
        train(folder, fresh(made))
        for kept in ("last", "best"):
            one, other = (load_checkpoint(run.checkpoints / kept) for run in (whole, folder))
            assert one.tensors.keys() == other.tensors.keys()
            assert all(torch.equal(one.tensors[key], other.tensors[key]) for key in one.tensors)
        assert read_metrics(whole.metrics) == read_metrics(folder.metrics)
