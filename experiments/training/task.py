"""Task: one stage of a system as Lightning trains it, with what makes it safe to interrupt."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from fusion.system import System
from kg.errors import RunStopped

__all__ = ["Task"]

PATIENCE_FOR_NAN = 10
"""Steps in a row with gradients that are not finite, after which a run gives up."""


class Task(pl.LightningModule):
    """A system and a stage.

    A step whose gradients are not finite changes nothing: the optimiser is told so on the device
    (`found_inf`), so no step waits for the host. The count is looked at every few steps.

    Args:
        system: The system.
        place: Place of the stage among the system's stages.
        steps: Optimiser steps of the whole stage, for the schedule.
    """

    def __init__(self, system: System, place: int, steps: int) -> None:
        super().__init__()
        self.system, self.place, self.steps = system, place, max(steps, 1)
        self.stage = stage = system.stages[place]
        self.skipped: Tensor
        self.in_a_row: Tensor
        self.register_buffer("skipped", torch.zeros(()))
        self.register_buffer("in_a_row", torch.zeros(()))
        self.sums: dict[str, Tensor] = {}
        self.restored: Tensor | None = None
        for name, parameter in system.named_parameters():
            if stage.trains:
                parameter.requires_grad_(name.startswith(stage.trains))

    def training_step(self, batch: StudyBatch, place: int) -> Tensor:
        """Weighted sum of the stage's objectives."""
        losses = self.system.losses(batch, self.stage)
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(loss)) + loss.detach()
        terms = [self.stage.objectives[name] * loss for name, loss in losses.items()]
        return torch.stack(terms).sum()

    def transfer_batch_to_device(
        self, batch: StudyBatch, device: torch.device, dataloader_idx: int
    ) -> StudyBatch:
        """Move a batch."""
        return batch.to(device)

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with warm-up and cosine decay; biases, norms and embeddings do not decay."""
        trained = [p for p in self.system.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.stage.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.stage.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int) -> float:
        """Share of the peak rate at a step."""
        rise = max(int(self.steps * self.stage.warmup), 1)
        if step < rise:
            return (step + 1) / rise
        done = min((step - rise) / max(self.steps - rise, 1), 1.0)
        return 0.5 * (1 + math.cos(math.pi * done))

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the norm, and have the optimiser skip a step that is not finite."""
        trained = [p for p in self.system.parameters() if p.requires_grad]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.stage.clip or math.inf)
        bad = (~norm.isfinite()).float()
        optimizer.grad_scale, optimizer.found_inf = None, bad
        self.skipped += bad
        self.in_a_row = (self.in_a_row + 1) * bad

    def on_train_batch_start(self, batch: StudyBatch, place: int) -> None:
        """Put the random generator back where the checkpoint left it, once."""
        if self.restored is not None:
            torch.set_rng_state(self.restored)
            self.restored = None

    def on_train_batch_end(self, outputs: Any, batch: StudyBatch, place: int) -> None:
        """Let the system follow its step, and give up after too many steps that were skipped."""
        self.system.after_step()
        if self.global_step % PATIENCE_FOR_NAN == 0 and self.in_a_row >= PATIENCE_FOR_NAN:
            raise RunStopped(
                f"{PATIENCE_FOR_NAN} steps in a row had gradients that are not finite",
                "lower learning_rate or look at the data; the last good checkpoint is kept",
            )

    def mean_losses(self) -> dict[str, float]:
        """Mean loss of each objective since the last call."""
        batches = max(self.trainer.fit_loop.epoch_loop.batch_progress.current.ready, 1)
        means = {name: float(total) / batches for name, total in self.sums.items()}
        self.sums = {}
        return means

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the stage, and the random generator's state so that dropout goes on as it would."""
        checkpoint["stage"] = self.place
        checkpoint["random"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the random generator's state until the first step."""
        self.restored = checkpoint["random"].to(torch.uint8).cpu()
