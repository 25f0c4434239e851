"""Running statistics of normalisation layers, restored where a step is skipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["RunningStatistics"]


class RunningStatistics:
    """Running means and variances, which the forward pass updates before gradients are known.

    A batch that is not finite would remain in them although its step was skipped.

    Args:
        model: Module with batch normalisation.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, _NormBase)]
        self.before: list[tuple[Tensor, Tensor]] = []

    def remember(self) -> None:
        """Copy the running statistics of layers in training mode."""
        self.before = [
            (buffer, buffer.clone())
            for layer in self.layers
            if layer.training
            for buffer in layer.buffers(recurse=False)
        ]

    def put_back_where(self, bad: Tensor) -> None:
        """Restore the copies where the scalar `bad` is not 0, without waiting for the host."""
        for buffer, before in self.before:
            buffer.copy_(torch.where(bad.bool(), before, buffer))
