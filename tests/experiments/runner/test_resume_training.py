"""A run that was stopped anywhere goes on to the very weights it would have had."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.records.checkpoint import Checkpoint, load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import append_metrics, read_metrics
from experiments.runner.run import train
from experiments.runs.build import RunContext
from experiments.training.callbacks import StopRequested
from fusion.stage import Stage
from kg.errors import InputError
from kg.files import atomic

Make = Callable[..., RunContext]
NewFolder = Callable[[], RunFolder]


def stop_after(made: RunContext, steps: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal once the system has taken so many batches."""
    taken, losses = 0, made.system.losses

    def count(batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        nonlocal taken
        taken += 1
        if taken == steps:
            os.kill(os.getpid(), number)
        return losses(batch, stage)

    made.system.losses = count  # type: ignore[method-assign]


@pytest.mark.parametrize(("batches", "accumulate"), [(6, 1), (3, 2), (2, 3)])
def test_a_system_follows_optimiser_steps_however_they_are_summed(
    make: Make, new_folder: NewFolder, batches: int, accumulate: int
) -> None:
    made = make({"epochs": 2, "batch_size": batches, "accumulate": accumulate})
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    made.system.after_step = count  # type: ignore[method-assign]
    train(new_folder(), made)
    studies = len(made.cohorts["train"])
    assert steps == 2 * -(-studies // (batches * accumulate))


def last(folder: RunFolder) -> Checkpoint:
    return load_checkpoint(folder.checkpoints / "last")


def plain(state: Any) -> str:
    return json.dumps(state, sort_keys=True)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_same_run(one: RunFolder, other: RunFolder) -> None:
    """Weights, optimiser, schedule, randomness, counters, best weights and journal are equal."""
    for name in ("last", "best"):
        first, second = (load_checkpoint(run.checkpoints / name) for run in (one, other))
        assert same(dict(first.tensors), dict(second.tensors)), name
    for key in ("callbacks", "lr_schedulers", "global_step", "epoch"):
        assert plain(last(one).state[key]) == plain(last(other).state[key]), key
    assert read_metrics(one.metrics) == read_metrics(other.metrics)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunFolder]:
    """Runs that were never stopped, each trained once for all tests."""
    done: dict[str, RunFolder] = {}

    def give(make: Make, *stages: dict[str, Any], frozen: bool = True) -> RunFolder:
        made = make(*stages, frozen=frozen)
        key = plain([stages, frozen])
        if key not in done:
            done[key] = RunFolder.create(tmp_path_factory.mktemp("straight"), made.experiment)
            train(done[key], made)
        return done[key]

    return give


@pytest.mark.parametrize(
    ("frozen", "stage", "steps"),
    [
        (True, {}, 2),  # in the middle of the first epoch
        (True, {}, 4),  # at the end of the first epoch
        (True, {}, 8),  # at the very end
        (True, {"accumulate": 2, "batch_size": 3}, 3),  # between the two batches of a step
        (False, {"epochs": 1}, 2),  # pixels are moved about by chance
        (True, {"epochs": 3, "patience": 1, "learning_rate": 0.0}, 4),  # stops early
    ],
)
def test_resumed_equals_straight(
    make: Make,
    new_folder: NewFolder,
    straight: Callable[..., RunFolder],
    *,
    frozen: bool,
    stage: dict[str, Any],
    steps: int,
) -> None:
    whole = straight(make, stage, frozen=frozen)
    folder, stopped = new_folder(), make(stage, frozen=frozen)
    stop_after(stopped, steps)
    with pytest.raises(StopRequested):
        train(folder, stopped)
    torch.manual_seed(99)  # another process would not have the same randomness
    train(folder, make(stage, frozen=frozen))
    assert_same_run(whole, folder)


def test_a_second_stage_goes_on_by_itself(
    make: Make, new_folder: NewFolder, straight: Callable[..., RunFolder]
) -> None:
    stages: tuple[dict[str, Any], ...] = (
        {"name": "head", "epochs": 1, "trains": ("classifier.head", "classifier.join")},
        {"name": "all", "epochs": 1},
    )
    whole = straight(make, *stages)
    folder, stopped = new_folder(), make(*stages)
    stop_after(stopped, 6)  # two batches into the second stage
    with pytest.raises(StopRequested):
        train(folder, stopped)
    assert last(folder).state["stage"] == 1
    assert [row["stage"] for row in read_metrics(folder.metrics)] == [0]
    train(folder, make(*stages))
    assert_same_run(whole, folder)


def test_what_one_stage_holds_still_the_next_one_trains(make: Make, new_folder: NewFolder) -> None:
    made = make({"epochs": 1, "trains": ("classifier.head",)}, {"epochs": 1})
    held = made.system.classifier.concept_reader.project.weight  # type: ignore[union-attr]
    before = held.detach().clone()
    seen: list[bool] = []
    made.system.after_step = lambda: seen.append(torch.equal(held, before))  # type: ignore[method-assign]
    train(new_folder(), made)
    assert seen == [True] * 4 + [False] * 4
    assert all(parameter.requires_grad for parameter in made.system.parameters())


def test_only_what_was_measured_after_the_checkpoint_is_forgotten(
    make: Make, new_folder: NewFolder, straight: Callable[..., RunFolder]
) -> None:
    whole = straight(make, {})
    folder, stopped = new_folder(), make({})
    stop_after(stopped, 6)
    with pytest.raises(StopRequested):
        train(folder, stopped)
    # as if killed between a measurement and the checkpoint after it
    append_metrics(folder.metrics, {"stage": 0, "epoch": 1, "step": 8})
    train(folder, make({}))
    assert_same_run(whole, folder)


def test_a_disk_that_fills_up_ends_the_run_and_it_goes_on_where_space_is_made(
    make: Make,
    new_folder: NewFolder,
    straight: Callable[..., RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = straight(make, {})
    folder = new_folder()
    plain_sync, written = atomic._sync, 0

    def full(path: Path) -> None:
        nonlocal written
        written += 1
        if written > 17:  # in the second epoch
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain_sync(path)

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_sync", full)
        with pytest.raises(InputError, match="No space left on device"):
            train(folder, make({}))
    assert last(folder).state["global_step"] == 4
    train(folder, make({}))
    assert_same_run(whole, folder)


def test_two_signals_do_not_wait_for_the_step(make: Make, new_folder: NewFolder) -> None:
    folder, stopped = new_folder(), make({})
    taken = 0

    def twice() -> None:
        nonlocal taken
        taken += 1
        if taken == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("the second signal should have ended this step")

    stopped.system.after_step = twice  # type: ignore[method-assign]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(StopRequested):
        train(folder, stopped)
    # the checkpoint of the stage's start is still whole, and the signals are given back
    assert last(folder).state["global_step"] == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_same_seed_twice_is_bit_equal(
    make: Make, new_folder: NewFolder, straight: Callable[..., RunFolder]
) -> None:
    folder = new_folder()
    train(folder, make({"epochs": 1}, frozen=False))
    assert_same_run(straight(make, {"epochs": 1}, frozen=False), folder)


def test_another_process_finds_its_place_without_the_order(tmp_path: Path, make: Make) -> None:
    """Nothing of the order of studies is kept but seed, epoch and number of studies taken."""
    from experiments.loading.cohort import StudyOrder

    whole = StudyOrder(range(23), 5, seed=3)
    whole.set_epoch(4)
    resumed = StudyOrder(range(23), 5, seed=3)
    resumed.set_epoch(4)
    assert resumed.skip(10) == 2
    assert list(resumed) == list(whole)[2:]
    assert len(list(resumed)) == 5  # the next epoch is whole again
