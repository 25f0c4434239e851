"""Task: Lightning module of one training stage, safe to interrupt and resume."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.loading.cohort import StudyOrder
from experiments.training.distributed import SINGLE_PROCESS, ProcessContext
from experiments.training.optimisers import optimiser_of, schedule_of
from experiments.training.running_statistics import RunningStatistics
from fusion.system import System
from kg.errors import InputError, RunDiverged

__all__ = ["Task"]

PATIENCE_FOR_NAN = 10
"""Steps in a row with gradients that are not finite after which a run stops."""


class Task(pl.LightningModule):
    """Lightning module of a system and a stage.

    A step with gradients that are not finite changes nothing: the optimiser gets `found_inf` on the
    device, so no step waits for the host. The count is checked every few steps.

    Args:
        system: The system.
        place: Place of the stage among the system's stages.
        steps: Optimiser steps of the whole stage, for the schedule of its rate.
        order: Order of the training studies, restored from a checkpoint.
        process: This process.

    Raises:
        InputError: If the stage trains nothing.
    """

    def __init__(
        self,
        system: System,
        place: int,
        steps: int,
        order: StudyOrder,
        process: ProcessContext = SINGLE_PROCESS,
    ) -> None:
        super().__init__()
        self.system, self.place, self.steps = system, place, max(steps, 1)
        self.order, self.process = order, process
        self.stage = stage = system.stages[place]
        self.skipped: Tensor
        self.in_a_row: Tensor
        self.register_buffer("skipped", torch.zeros(()))
        self.register_buffer("in_a_row", torch.zeros(()))
        self.sums: dict[str, Tensor] = {}
        self.restored: list[Tensor] = []
        self.statistics = RunningStatistics(system)
        for name, parameter in system.named_parameters():
            if stage.trains and not name.startswith(stage.trains):
                parameter.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in system.parameters()):
            children = ", ".join(name for name, _ in system.named_children())
            raise InputError(f"stages.{place}.trains: nothing is left to train", f"see: {children}")

    def training_step(self, batch: StudyBatch, place: int) -> Tensor:
        """Weighted sum of the stage's objectives."""
        losses = self.system.losses(batch, self.stage)
        for name, loss in losses.items():
            # sum and number of finite losses: one bad batch must not hide an epoch's mean
            finite = loss.detach().isfinite()
            now = torch.stack([loss.detach().nan_to_num(0.0, 0.0, 0.0), finite.to(loss.dtype)])
            self.sums[name] = self.sums[name].to(now) + now if name in self.sums else now
        terms = [self.stage.objectives[name] * loss for name, loss in losses.items()]
        return torch.stack(terms).sum()

    def transfer_batch_to_device(
        self, batch: StudyBatch, device: torch.device, dataloader_idx: int
    ) -> StudyBatch:
        """Move a batch."""
        return batch.to(device)

    def configure_optimizers(self) -> dict[str, Any]:
        """The stage's optimiser, with its schedule after the warm-up."""
        where = f"stages.{self.place}"
        optimizer = optimiser_of(self.stage, self.system, where)
        rate = schedule_of(self.stage, self.steps, where)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Take a step, then call the system's `after_step`.

        Batches whose gradients are accumulated are one step.
        """
        super().optimizer_step(*arguments, **named)
        self.system.after_step()

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the gradient norm, and let the optimiser skip a step that is not finite."""
        trained = [p for p in self.system.parameters() if p.requires_grad]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.stage.clip or math.inf)
        bad = (~norm.isfinite()).float()
        optimizer.grad_scale, optimizer.found_inf = None, bad
        self.skipped += bad
        self.in_a_row = (self.in_a_row + 1) * bad
        self.statistics.put_back_where(bad)

    def on_train_batch_start(self, batch: StudyBatch, place: int) -> None:
        """Restore the random generators of a checkpoint, once.

        A checkpoint holds the generators of one process; several processes seed each batch by its
        place in the run instead.
        """
        if place % self.trainer.accumulate_grad_batches == 0:
            self.statistics.remember()
        if not self.process.is_single:
            at = [self.order.seed or 0, self.place, self.current_epoch, place, self.process.rank]
            torch.manual_seed(int(np.random.SeedSequence(at).generate_state(1)[0]))
            return
        if self.restored:
            set_random_state(self.restored)
            self.restored = []

    def on_train_batch_end(self, outputs: Any, batch: StudyBatch, place: int) -> None:
        """Stop after too many skipped steps."""
        if self.global_step % PATIENCE_FOR_NAN == 0:
            self.check_finite()

    def check_finite(self) -> None:
        """Refuse to go on, or to save, where training has diverged.

        Raises:
            RunDiverged: If weights are not finite, or too many steps in a row were skipped.
        """
        weights = torch.stack([one.isfinite().all() for one in self.system.parameters()])
        if not weights.all():
            raise self.diverged("weights are not finite")
        if self.in_a_row >= PATIENCE_FOR_NAN:
            steps = int(self.in_a_row)
            raise self.diverged(f"{steps} steps in a row had gradients that are not finite")

    def diverged(self, what: str) -> RunDiverged:
        """Error of a stage that diverged.

        Args:
            what: What is not finite.
        """
        return RunDiverged(
            f"training diverged in stage {self.place}, at step {self.global_step}: {what}",
            f"lower stages.{self.place}.learning_rate (it is {self.stage.learning_rate:g}) or look "
            "at the data; the last finite checkpoint is kept",
        )

    def mean_losses(self) -> dict[str, float]:
        """Mean loss of each objective since the last call; NaN where it was never finite."""
        sums = {name: self.process.total(self.sums[name]) for name in sorted(self.sums)}
        means = {
            name: float(total / number) if number else math.nan
            for name, (total, number) in sums.items()
        }
        self.sums = {}
        return means

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save stage, losses and random state for resuming, if the weights are finite."""
        self.check_finite()
        checkpoint["stage"] = self.place
        checkpoint["batch_size"] = self.order.batch_size
        checkpoint["losses"] = dict(self.sums)
        checkpoint["random"] = random_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the order of studies, and keep the random state until the first step."""
        self.restored = checkpoint["random"]
        self.sums = checkpoint["losses"]
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["is_last_batch"]:  # nothing of the next epoch has been taken
            return
        taken = progress["current"]["ready"] * checkpoint["batch_size"]
        # the batch size may have been halved since: progress is counted in studies
        batches = self.order.skip(taken)
        lag = progress["current"]["ready"] - progress["current"]["completed"]
        progress["current"] |= {"ready": batches, "started": batches, "processed": batches}
        progress["current"]["completed"] = batches - lag


def random_state() -> list[Tensor]:
    """State of torch's random generators: of the CPU, then of each GPU."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *gpus]


def set_random_state(states: list[Tensor]) -> None:
    """Restore torch's random generators."""
    first, *gpus = (state.to("cpu", torch.uint8) for state in states)
    torch.set_rng_state(first)
    if len(gpus) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(gpus)
