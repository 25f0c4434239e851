"""CheckpointCallback: validates after each epoch, saves checkpoints, stops cleanly on a signal."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from experiments.loading.loader import TrainingLoader
from experiments.records.checkpoint import save_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import append_metrics
from experiments.training.distributed import SINGLE_PROCESS, ProcessContext
from experiments.training.task import Task
from experiments.training.tracking import numbers_of

__all__ = ["CheckpointCallback", "StopRequested"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LISTEN = 10
"""Steps between two exchanges of received signals among several processes."""


class StopRequested(BaseException):
    """Stop after a signal, once the step is finished and a checkpoint saved.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class CheckpointCallback(pl.Callback):
    """Validates, saves checkpoints and stops.

    Signals are only noted while a step runs and answered when it is complete, so a checkpoint
    never holds half a step or half of the batches whose gradients a step sums. While the next
    batch is read they are answered at once.

    Args:
        folder: The run's folder; of its checkpoints `last` resumes, `best` predicts.
        measure: Gives the validation metrics of the current weights.
        identity: Run that the weights belong to.
        stage: Place of the stage in the run.
        process: This process; only the main one measures and writes.
        every: Steps between saves of `last` within an epoch; 0 = only at its end.
    """

    def __init__(
        self,
        folder: RunFolder,
        measure: Callable[[], dict[str, float]],
        identity: dict[str, Any],
        *,
        stage: int,
        process: ProcessContext = SINGLE_PROCESS,
        every: int = 0,
    ) -> None:
        self.checkpoints, self.journal, self.measure = folder.checkpoints, folder.metrics, measure
        self.identity, self.stage, self.every = identity, stage, every
        self.process = process
        self.best = float("-inf")
        self.waited = 0
        self.measured: dict[str, float] = {}
        self.requested: int | None = None
        self._before: dict[int, Any] = {}
        self._loader: TrainingLoader | None = None
        self._in_step = False
        self._unsaved: pl.Trainer | None = None

    @property
    def state_key(self) -> str:
        """Key in Lightning checkpoints: the class's first name, so that old ones resume."""
        return "Keeper"

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the signal handlers that were set before Lightning's."""
        if threading.current_thread() is threading.main_thread():  # nobody else may listen
            self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save a checkpoint at the start of a stage; stop at once where patience has run out.

        Signals are handled here from now on: Lightning would break off between two batches.
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
        if self.requested is not None:  # a second signal will not wait
            raise StopRequested(number)
        self.requested = number
        if self._loader is not None and self._loader.waits:
            self._answer()

    def listen(self, loader: TrainingLoader) -> None:
        """Answer signals while the loader waits for a batch, which may never come."""
        self._loader, loader.on_wait = loader, self._answer

    def _answer(self) -> None:
        """Stop where a signal came and no step is half done, with a checkpoint of the last one.

        Several processes stop together, after a step.
        """
        if self.requested is None or self._in_step or not self.process.is_single:
            return
        if self._unsaved is not None:
            self._unsaved.save_checkpoint(self.checkpoints / "last")
        raise StopRequested(self.requested)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """From here on a step is half done."""
        self._in_step = True

    def restore_handlers(self) -> None:
        """Restore the signal handlers that were set before."""
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
        """Save a checkpoint when one is due or a signal came, if a step is complete.

        The last batch of an epoch waits for the validation after it.
        """
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self._in_step, self._unsaved = False, trainer
        due = self.every and trainer.global_step % self.every == 0
        number = self._received_signal(trainer.global_step)
        if due or number:
            trainer.save_checkpoint(self.checkpoints / "last")
        if number:
            raise StopRequested(number)

    def _received_signal(self, step: int = 0) -> int:
        """Signal that any process received, 0 = none.

        Several processes exchange it only every `LISTEN` steps, as that waits for all devices.
        """
        if step % LISTEN and not self.process.is_single:
            return 0
        return int(self.process.largest(self.requested or 0))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate where it is due, save the best weights and a checkpoint, and stop early."""
        assert isinstance(pl_module, Task)
        pl_module.check_finite()
        losses = pl_module.mean_losses()
        done, stage = trainer.current_epoch + 1, pl_module.stage
        lost = [name for name, loss in losses.items() if math.isnan(loss)]
        if lost and done == trainer.max_epochs:
            raise pl_module.diverged(f"in the last epoch {', '.join(lost)} was never finite")
        validates = done % stage.validate_every_n_epochs == 0 or done == trainer.max_epochs
        value = math.nan
        if self.process.is_main:
            row: dict[str, Any] = {
                "stage": self.stage,
                "epoch": trainer.current_epoch,
                "step": trainer.global_step,
                **{f"loss/{name}": loss for name, loss in losses.items()},
                "skipped": int(pl_module.skipped),
            }
            if validates:
                pl_module.system.eval()
                self.measured = self.measure()
                pl_module.system.train()
                row |= {f"validation/{name}": number for name, number in self.measured.items()}
                value = self.measured.get(stage.monitor, math.nan)
            append_metrics(self.journal, row)
            for logger in trainer.loggers:
                logger.log_metrics(numbers_of(row), trainer.global_step)
        if validates:
            # a loss is better where it is lower
            sign = -1.0 if stage.monitor.startswith("loss") else 1.0
            self._save_best(pl_module, sign * self.process.from_main(value), trainer.current_epoch)
        if stage.patience and self.waited >= stage.patience:
            trainer.should_stop = True
        trainer.save_checkpoint(self.checkpoints / "last")
        if number := self._received_signal():
            raise StopRequested(number)
        self._in_step, self._unsaved = False, None

    def _save_best(self, task: Task, value: float, epoch: int) -> None:
        """Save the weights where the monitored value is the best so far, or after every epoch.

        As long as it was never defined (no finding has both classes), the last epoch is kept.
        """
        better = value > self.best
        if better:
            self.best = value
        self.waited = 0 if better or self.best == float("-inf") else self.waited + 1
        if self.process.is_main and (not self.waited or task.stage.checkpoint == "last"):
            state = {"stage": self.stage, "epoch": epoch, "monitor": task.stage.monitor}
            value_or_none = abs(value) if value == value else None
            save_checkpoint(
                self.checkpoints / "best",
                task.system.state_dict(),
                {**state, "value": value_or_none},
                self.identity,
            )

    def state_dict(self) -> dict[str, Any]:
        """State that a resumed run needs."""
        best = self.best if self.best != float("-inf") else None
        return {"best": best, "waited": self.waited, "stage": self.stage}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a resumed run."""
        self.best = float("-inf") if state_dict["best"] is None else state_dict["best"]
        self.waited = state_dict["waited"]
