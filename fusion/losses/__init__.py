"""Catalog of losses: plain functions, tensors in and a scalar out.

Every loss is a mean over counted rows; a masked or unstated row changes nothing, and the loss is
zero where no row counts. Where a batch is shared by several devices, the mean of their
losses, and so the gradient, is that of one device with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["LOSSES", "Loss"]

Loss = Callable[..., Tensor]

LOSSES: Catalog[Loss] = Catalog("fusion.losses", "loss")
