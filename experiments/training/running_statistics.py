"""Running statistics of normalisation layers, put back where a step is thrown away."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

__all__ = ["RunningStatistics"]


class RunningStatistics:
    """Means and variances that layers gather in the forward pass, before any gradient is known.

    A batch that is not finite would stay in them although its step was skipped.

    Args:
        model: Module whose batch normalisation is watched.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, _NormBase)]
        self.before: list[tuple[Tensor, Tensor]] = []

    def remember(self) -> None:
        """Copy what the layers that learn have gathered so far."""
        self.before = [
            (buffer, buffer.clone())
            for layer in self.layers
            if layer.training
            for buffer in layer.buffers(recurse=False)
        ]

    def put_back_where(self, bad: Tensor) -> None:
        """Take back the copies where the scalar `bad` is not 0; nothing waits for the host."""
        for buffer, before in self.before:
            buffer.copy_(torch.where(bad.bool(), before, buffer))
