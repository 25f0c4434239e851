"""Progress of training: epochs counted from 1, loss and monitored value, a line a minute."""

from __future__ import annotations

import io
import itertools
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from experiments.training.progress import ProgressCallback
from fusion.stage import Stage


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def train(callback: ProgressCallback, measured: dict[str, float]) -> None:
    """Four epochs of three steps."""
    trainer: Any = SimpleNamespace(
        global_step=0, estimated_stepping_batches=12, max_epochs=4, current_epoch=0
    )
    module: Any = None
    callback.on_train_start(trainer, module)
    for step in range(12):
        trainer.global_step, trainer.current_epoch = step + 1, step // 3
        loss = torch.tensor(1 / (step + 1))
        callback.on_train_batch_end(trainer, module, {"loss": loss}, None, step % 3)
        measured["auroc_macro"] = 0.5 + step / 100
    callback.on_train_end(trainer, module)


def minutes() -> Callable[[], float]:
    """A clock by which every look takes ten seconds."""
    now = itertools.count(0.0, 10.0)
    return lambda: next(now)


def test_a_plain_log_has_lines_with_epoch_loss_and_auroc(caplog) -> None:
    measured: dict[str, float] = {}
    with caplog.at_level(logging.INFO, "experiments"):
        train(ProgressCallback(Stage(name="fit"), lambda: measured, minutes()), measured)
    assert 2 < len(caplog.messages) < 12
    assert caplog.messages[-1] == (
        "training fit: 12 of 12 steps, Epoch 4/4, loss 0.083, auroc_macro 0.600"
    )
    assert all("Epoch " in line and " left" in line for line in caplog.messages[:-1])


def test_a_terminal_has_a_bar_and_no_lines(caplog, monkeypatch) -> None:
    terminal, measured = Terminal(), dict[str, float]()
    monkeypatch.setattr(sys, "stderr", terminal)
    with caplog.at_level(logging.INFO, "experiments"):
        train(ProgressCallback(Stage(name="fit"), lambda: measured, minutes()), measured)
    assert "Epoch 4/4, loss 0.083, auroc_macro 0.600" in terminal.getvalue()
    assert "Epoch 0/" not in terminal.getvalue()
    assert not caplog.messages


def test_a_bar_ends_where_training_breaks_off(monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    callback = ProgressCallback(Stage(), dict)
    trainer: Any = SimpleNamespace(
        global_step=0, estimated_stepping_batches=12, max_epochs=4, current_epoch=0
    )
    callback.on_train_start(trainer, trainer)
    assert callback.bar is not None
    callback.on_exception(trainer, trainer, RuntimeError())
    assert callback.bar is None
