"""Collectives for a batch on several devices: all-gather with gradient, means over the batch.

Nothing is exchanged where no gradient is recorded, since the main process validates alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

__all__ = ["gathered", "gathered_tokens", "mean_of", "total_of"]


def gathered(rows: Tensor) -> Tensor:
    """Rows of all devices `[devices * B, ...]` in the order of their ranks; they share `B`.

    The gradient of a row is the sum over all devices. A device that takes the loss of the whole
    batch therefore gets it once for each device, which the mean over devices takes back.
    """
    if _devices() == 1:
        return rows
    joined: Tensor = _AllGather.apply(rows)
    return joined


def gathered_tokens(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens `[B, L, D]` and mask `[B, L]` of all devices, padded to the longest of them."""
    if _devices() > 1:
        longest = torch.tensor(mask.shape[1], device=mask.device)
        distributed.all_reduce(longest, distributed.ReduceOp.MAX)
        missing = int(longest) - mask.shape[1]
        tokens, mask = F.pad(tokens, (0, 0, 0, missing)), F.pad(mask, (0, missing))
    return gathered(tokens), gathered(mask)


def total_of(values: Tensor) -> Tensor:
    """Sum of the numbers of all devices, without gradient."""
    total = values.detach().sum()
    if _devices() > 1:
        distributed.all_reduce(total)
    return total


def mean_of(values: Tensor, counts: Tensor) -> Tensor:
    """Mean of the counted values; zero where there are none.

    On several devices the mean over devices is the mean of all values.

    Args:
        values: Finite numbers of any shape.
        counts: True, or a weight, where a value counts; the same shape.
    """
    # a bfloat16 cannot count beyond 256
    precise = torch.promote_types(values.dtype, torch.float32)
    number = total_of(counts.to(precise)) / _devices()
    return (values * counts).sum() / number.where(number > 0, torch.ones_like(number))


def _devices() -> int:
    """Number of devices that share the batch."""
    if torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1


class _AllGather(torch.autograd.Function):
    """All-gather along the first dimension; backward sums the gradients of all devices."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        everyone = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(everyone, rows.contiguous())
        return torch.cat(everyone)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
