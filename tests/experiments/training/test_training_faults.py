"""Faults during training cost a step or a restart, never a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.runner.run import train
from experiments.runs.build import RunContext
from fusion.stage import Stage
from kg.errors import InputError, RunDiverged, RunStopped

Make = Callable[..., RunContext]
NewFolder = Callable[[], RunFolder]


def on_losses(made: RunContext, act: Callable[[int, StudyBatch, dict[str, Tensor]], None]) -> None:
    """Let `act` see, and change, the losses of each batch, counted from 1."""
    plain, count = made.system.losses, 0

    def losses(batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        nonlocal count
        count += 1
        found = plain(batch, stage)
        act(count, batch, found)
        return found

    made.system.losses = losses  # type: ignore[method-assign]


def poison(*batches: int) -> Callable[[int, StudyBatch, dict[str, Tensor]], None]:
    def act(count: int, batch: StudyBatch, losses: dict[str, Tensor]) -> None:
        if count in batches:
            losses["classification"] = losses["classification"] * float("nan")

    return act


def finite(folder: RunFolder, name: str) -> bool:
    tensors = load_checkpoint(folder.checkpoints / name).tensors
    return all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())


def test_a_batch_that_is_not_finite_is_skipped_and_counted(
    make: Make, new_folder: NewFolder
) -> None:
    made, folder = make({"epochs": 1}), new_folder()
    weights = made.system.classifier.head.direction.weight  # type: ignore[union-attr]
    seen = [weights.detach().clone()]
    made.system.after_step = lambda: seen.append(weights.detach().clone())  # type: ignore[method-assign]
    on_losses(made, poison(2))
    train(folder, made)
    moved = [not torch.equal(a, b) for a, b in zip(seen, seen[1:], strict=False)]
    assert moved == [True, False, True, True]
    (row,) = read_metrics(folder.metrics)
    assert row["skipped"] == 1
    assert all(value == value for value in row.values())  # the mean loss is of the other batches
    assert finite(folder, "last")
    assert finite(folder, "best")


def test_a_bad_batch_does_not_stay_in_running_statistics(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"epochs": 1, "accumulate": 2, "batch_size": 3}), new_folder()
    norm = nn.BatchNorm1d(16)
    made.system.add_module("norm", norm)
    plain = made.system.losses

    def losses(batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        assert batch.image_tokens is not None
        tokens = norm(batch.image_tokens.flatten(0, 2))
        found = plain(batch, stage)
        found["classification"] = found["classification"] + 0.0 * tokens.sum()
        return found

    made.system.losses = losses  # type: ignore[method-assign]
    values = made.cohorts["train"].pictures
    assert values is not None
    spoilt = values.values.clone()
    spoilt[0] = float("nan")
    pictures = replace(values, values=spoilt)
    cohorts = {**made.cohorts, "train": replace(made.cohorts["train"], pictures=pictures)}
    train(folder, replace(made, cohorts=cohorts))
    (row,) = read_metrics(folder.metrics)
    assert 0 < row["skipped"] < 4
    assert norm.running_mean is not None
    assert bool(norm.running_mean.isfinite().all())
    assert float(norm.running_mean.abs().sum()) > 0
    assert finite(folder, "last")


def test_ten_bad_steps_in_a_row_end_the_run(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"epochs": 4}), new_folder()
    on_losses(made, poison(*range(1, 100)))
    with pytest.raises(RunDiverged, match="steps in a row") as caught:
        train(folder, made)
    assert "learning_rate" in caught.value.hint
    assert finite(folder, "last")


def test_bad_steps_at_the_very_end_are_not_overlooked(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"epochs": 4}), new_folder()  # 16 steps; counted at step 10 and at the end
    on_losses(made, poison(*range(7, 17)))
    with pytest.raises(RunDiverged, match="10 steps in a row"):
        train(folder, made)


@pytest.mark.parametrize("rate", [1e300, 1e38, 1e20, 1e10])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_rate_that_is_far_too_high_ends_the_run_with_the_reason(
    make: Make, new_folder: NewFolder, rate: float, optimiser: str
) -> None:
    stage = {"epochs": 1, "learning_rate": rate, "optimiser": {"name": optimiser}, "warmup": 0.0}
    made, folder = make(stage), new_folder()
    with pytest.raises(RunDiverged, match="training diverged") as caught:
        train(folder, made)
    assert caught.value.exit_code == 4
    assert "learning_rate" in caught.value.hint
    assert finite(folder, "last")


def test_weights_that_are_not_finite_are_never_saved(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"epochs": 3}), new_folder()
    weights = made.system.classifier.head.direction.weight  # type: ignore[union-attr]

    def spoil(count: int, batch: StudyBatch, losses: dict[str, Tensor]) -> None:
        if count == 8:  # the last batch of the second epoch
            made.system.after_step = lambda: weights.data.fill_(float("inf"))  # type: ignore[method-assign]

    on_losses(made, spoil)
    with pytest.raises(RunDiverged, match="stage 0, at step 8: weights are not finite"):
        train(folder, made)
    assert [row["epoch"] for row in read_metrics(folder.metrics)] == [0]
    assert load_checkpoint(folder.checkpoints / "best").state["epoch"] == 0
    assert finite(folder, "best")
    assert finite(folder, "last")


def test_a_loss_that_is_never_finite_to_the_end_is_told(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"epochs": 1}), new_folder()  # 4 steps, all skipped
    on_losses(made, poison(*range(1, 5)))
    with pytest.raises(RunDiverged, match="in the last epoch classification was never finite"):
        train(folder, made)


def memory_runs_out(made: RunContext, above: int, words: str, *, after: int = 0) -> list[int]:
    """Let a batch of more than `above` studies fail; sizes of those that did not."""
    sizes: list[int] = []

    def act(count: int, batch: StudyBatch, losses: dict[str, Tensor]) -> None:
        if len(batch.ids) > above and count > after:
            raise RuntimeError(words)
        sizes.append(len(batch.ids))

    on_losses(made, act)
    return sizes


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory. Tried to allocate 2 GiB", "DefaultCPUAllocator: can't allocate memory"],
)
def test_where_memory_runs_out_batches_are_halved_and_steps_stay(
    make: Make, new_folder: NewFolder, words: str
) -> None:
    made, folder = make({}), new_folder()
    sizes = memory_runs_out(made, 3, words)
    train(folder, made)
    assert max(sizes) == 3
    studies = len(made.cohorts["train"])
    assert sum(sizes) == 2 * studies  # two epochs, every study once in each
    rows = read_metrics(folder.metrics)
    assert [row["step"] for row in rows] == [-(-studies // 6), 2 * -(-studies // 6)]


def test_memory_that_runs_out_later_goes_on_from_the_checkpoint(
    make: Make, new_folder: NewFolder
) -> None:
    made, folder = make({}), new_folder()
    sizes = memory_runs_out(made, 3, "out of memory", after=5)  # in the second epoch
    train(folder, made)
    rows = read_metrics(folder.metrics)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert sizes[:4] == [6, 6, 6, 5]
    assert max(sizes[5:]) == 3
    assert sum(sizes[5:]) == len(made.cohorts["train"])


def test_memory_for_not_even_one_study_ends_the_run(make: Make, new_folder: NewFolder) -> None:
    made = make({})
    weights = {name: value.clone() for name, value in made.system.state_dict().items()}
    memory_runs_out(made, 0, "out of memory")
    with pytest.raises(RunStopped, match="one study") as caught:
        train(new_folder(), made)
    assert caught.value.exit_code == 4
    now = made.system.state_dict()
    assert all(torch.equal(weights[name], now[name]) for name in weights)


def test_another_error_is_not_taken_for_memory(make: Make, new_folder: NewFolder) -> None:
    made = make({})
    memory_runs_out(made, 0, "mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes"):
        train(new_folder(), made)


def test_a_backbone_that_is_not_frozen_trains_whole(make: Make, new_folder: NewFolder) -> None:
    made = make({"epochs": 1}, frozen=False)
    encoder = made.system.classifier.image_reader.encoder  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    train(new_folder(), made)
    assert before
    for name, value in encoder.named_parameters():
        assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("size", [1, 4, 24])
def test_any_batch_size_trains(make: Make, new_folder: NewFolder, size: int) -> None:
    made, folder = make({"epochs": 1, "batch_size": size}, frozen=False), new_folder()
    train(folder, made)
    assert finite(folder, "best")


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ({"trains": ("classifer.",)}, ("stages.0.trains", "classifier")),
        ({"monitor": "auroc_makro"}, ("stages.0.monitor", "auroc_macro")),
    ],
)
def test_a_stage_that_cannot_be_is_refused(
    make: Make, new_folder: NewFolder, stage: dict[str, Any], names: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        train(new_folder(), make(stage))
    assert all(name in str(caught.value) for name in names)


def test_without_a_defined_metric_the_last_epoch_is_kept(make: Make, new_folder: NewFolder) -> None:
    made, folder = make({"patience": 1}), new_folder()
    validation = made.cohorts["validation"]
    blank = replace(validation, targets=torch.full_like(validation.targets, float("nan")))
    made = replace(made, cohorts={**made.cohorts, "validation": blank})
    train(folder, made)
    best = load_checkpoint(folder.checkpoints / "best").state
    assert best["epoch"] == 1
    assert best["value"] is None
