"""Progress of training: a bar on a terminal, elsewhere a line a minute in the log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from fusion.stage import Stage
from kg.progress import Progress

__all__ = ["ProgressCallback"]

log = logging.getLogger(__name__)

REFRESH = 0.5
"""Seconds between two looks at the loss, which waits for the device."""


class ProgressCallback(pl.Callback):
    """Shows epoch, steps, loss and the monitored value of a stage while it trains.

    Args:
        stage: The stage.
        measured: Gives the values measured on validation last, by name.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        stage: Stage,
        measured: Callable[[], Mapping[str, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage, self.measured, self.clock = stage, measured, clock
        self.bar: Bar | None = None
        self.lines = Progress(log, f"training {stage.name}", "steps", clock=clock)
        self.shown = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the bar, where there is a terminal."""
        name, before = f"training {self.stage.name}", trainer.global_step
        self.lines = Progress(log, name, "steps", before, self.clock)
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self.bar = Bar(*columns, console=Console(stderr=True))
            self.bar.add_task(self._words(trainer, ""), total=trainer.estimated_stepping_batches)
            self.bar.start()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Show the step."""
        now = self.clock()
        done, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        if now - self.shown < REFRESH and done < total:
            return
        self.shown = now
        loss = f"loss {float(outputs['loss']):.3f}" if outputs else ""
        if self.bar is None:
            self.lines.at(done, total, self._words(trainer, loss))
        else:
            self.bar.update(
                self.bar.task_ids[0], completed=done, description=self._words(trainer, loss)
            )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the bar."""
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """End the bar where training breaks off."""
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _words(self, trainer: pl.Trainer, loss: str) -> str:
        """`Epoch 4/4, loss 0.412, auroc_macro 0.731`."""
        values = [f"{name} {value:.3f}" for name, value in self.measured().items()]
        epoch = f"Epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        return ", ".join(filter(None, (epoch, loss, *values)))
