"""Catalog of heads: from a joined finding query to one logit."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from kg.catalog import Catalog

__all__ = ["HEADS", "Head"]


@runtime_checkable
class Head(Protocol):
    """A torch module built as `Part(options, width=D)`; each finding's logit is independent."""

    Options: Any

    def __call__(self, queries: Tensor, concepts: Tensor) -> Tensor:
        """Logits `[B, C]` from joined queries `[B, C, D]` and concept vectors `[C, D]`."""


HEADS: Catalog[Any] = Catalog("fusion.heads", "head", ("Options", "forward"))
