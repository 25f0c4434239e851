"""Catalog of losses: plain functions, tensors in and a scalar out.

Every loss is a mean over what counts; a row that is masked or not stated changes nothing, and zero
is the loss where nothing counts. Where a batch is shared by several devices, the mean of their
losses, and so the gradient, is that of one device with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["LOSSES", "Loss"]

Loss = Callable[..., Tensor]

LOSSES: Catalog[Loss] = Catalog("fusion.losses", "loss")
