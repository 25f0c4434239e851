"""Keeper: measures on validation after each epoch, keeps last and best, stops in good order."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from experiments.records.checkpoint import save_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import append_metrics
from experiments.training.distributed import ALONE, World
from experiments.training.task import Task

__all__ = ["Keeper", "StopAsked"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LISTEN = 10
"""Steps after which several processes ask each other whether a signal came."""


class StopAsked(BaseException):
    """A signal came; the step was finished and a checkpoint saved. Carries the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Keeper(pl.Callback):
    """Measures, keeps and stops.

    Signals are only noted while a step runs and answered when it is complete, so a checkpoint
    never holds half a step or half of the batches whose gradients a step sums.

    Args:
        folder: The run's folder; of its checkpoints `last` resumes, `best` predicts.
        measure: Validation metrics of the system as it stands.
        identity: What the weights belong to.
        stage: Place of the stage in the run.
        world: The processes that train together; only the one that leads measures and writes.
        every: Steps between saves of `last` within an epoch; 0 = only at its end.
    """

    def __init__(
        self,
        folder: RunFolder,
        measure: Callable[[], dict[str, float]],
        identity: dict[str, Any],
        *,
        stage: int,
        world: World = ALONE,
        every: int = 0,
    ) -> None:
        self.checkpoints, self.journal, self.measure = folder.checkpoints, folder.metrics, measure
        self.identity, self.stage, self.every = identity, stage, every
        self.world = world
        self.best = float("-inf")
        self.waited = 0
        self.asked: int | None = None
        self._before: dict[int, Any] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember who listens to signals, before Lightning does."""
        if threading.current_thread() is threading.main_thread():  # nobody else may listen
            self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save where a stage starts; one resumed after its last epoch has nothing left to do.

        From here on signals are ours alone: Lightning would break off between two batches.
        """
        assert isinstance(pl_module, Task)
        for number in self._before:
            signal.signal(number, self._note)
        patience = pl_module.stage.patience
        trainer.should_stop = bool(patience) and self.waited >= patience
        if trainer.ckpt_path is None:
            # from here on `last` is of this stage: what breaks off in its first epoch starts again
            trainer.save_checkpoint(self.checkpoints / "last")

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal instead of breaking off in the middle of a step."""
        if self.asked is not None:  # a second signal will not wait
            raise StopAsked(number)
        self.asked = number

    def give_back(self) -> None:
        """Give the signals back to who listened before."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save now and then, and when a signal came, if a step is complete.

        The end of an epoch waits for its measurement.
        """
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        due = self.every and trainer.global_step % self.every == 0
        asked = self._heard(trainer.global_step)
        if due or asked:
            trainer.save_checkpoint(self.checkpoints / "last")
        if asked:
            raise StopAsked(asked)

    def _heard(self, step: int = 0) -> int:
        """The signal that came to any process, 0 = none.

        Several processes ask each other only now and then: every answer waits for all devices.
        """
        if step % LISTEN and not self.world.alone:
            return 0
        return int(self.world.largest(self.asked or 0))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at validation where it is time, keep the better weights, save, and stop."""
        assert isinstance(pl_module, Task)
        pl_module.check_finite()
        losses = pl_module.mean_losses()
        done, stage = trainer.current_epoch + 1, pl_module.stage
        looks = done % stage.validate_every_n_epochs == 0 or done == trainer.max_epochs
        value = math.nan
        if self.world.leads:
            row: dict[str, Any] = {
                "stage": self.stage,
                "epoch": trainer.current_epoch,
                "step": trainer.global_step,
                **{f"loss/{name}": loss for name, loss in losses.items()},
                "skipped": int(pl_module.skipped),
            }
            if looks:
                pl_module.system.eval()
                measured = self.measure()
                pl_module.system.train()
                row |= {f"validation/{name}": number for name, number in measured.items()}
                value = measured.get(stage.monitor, math.nan)
            append_metrics(self.journal, row)
        if looks:
            # a loss is better where it is lower
            sign = -1.0 if stage.monitor.startswith("loss") else 1.0
            self._keep(pl_module, sign * self.world.agree(value), trainer.current_epoch)
        if stage.patience and self.waited >= stage.patience:
            trainer.should_stop = True
        trainer.save_checkpoint(self.checkpoints / "last")
        if asked := self._heard():
            raise StopAsked(asked)

    def _keep(self, task: Task, value: float, epoch: int) -> None:
        """Save the weights where the monitored value is the best so far, or after every epoch.

        As long as it was never defined (no finding has both classes), the last epoch is kept.
        """
        better = value > self.best
        if better:
            self.best = value
        self.waited = 0 if better or self.best == float("-inf") else self.waited + 1
        if self.world.leads and (not self.waited or task.stage.checkpoint == "last"):
            state = {"stage": self.stage, "epoch": epoch, "monitor": task.stage.monitor}
            value_or_none = abs(value) if value == value else None
            save_checkpoint(
                self.checkpoints / "best",
                task.system.state_dict(),
                {**state, "value": value_or_none},
                self.identity,
            )

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        best = self.best if self.best != float("-inf") else None
        return {"best": best, "waited": self.waited, "stage": self.stage}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what was kept."""
        self.best = float("-inf") if state_dict["best"] is None else state_dict["best"]
        self.waited = state_dict["waited"]
