"""Catalog of joins: how finding queries take up what the study and the graph offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from encoders.batch import Features
from kg.catalog import Catalog

__all__ = ["JOINS", "Join", "Joined", "Memory", "SOURCES", "pooled_sources"]

SOURCES = ("memory", "image", "text", "evidence")
"""What a finding query can attend to, in the order of gates and attention."""


@dataclass(frozen=True)
class Memory:
    """The fixed graph neighbourhood of each finding asked for.

    Args:
        tokens: Embedded neighbours `[C, K, D]`.
        kinds: Directed relation kind of each neighbour, `[C, K]`.
        mask: True where there is a neighbour, `[C, K]`.
    """

    tokens: Tensor
    kinds: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Joined:
    """Queries after the join.

    Args:
        queries: `[B, C, D]`.
        gates: Weight of each source in the last layer, `[B, C, 4]` in the order of `SOURCES`.
        attention: By source, last layer, mean over heads, `[B, C, L]`; empty unless asked for.
    """

    queries: Tensor
    gates: Tensor
    attention: Mapping[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class Join(Protocol):
    """A torch module built as `Part(options, width=D, kinds=R)`; one finding never sees another."""

    Options: Any

    def __call__(
        self,
        queries: Tensor,
        memory: Memory,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the sources of each of `B` studies.

        Args:
            queries: What each finding starts from, `[C, D]`.
            memory: What each finding remembers of the graph.
            studies: What the studies offer, by the names in `SOURCES` after `memory`.
            with_attention: Whether to give the attention of the last layer too.
        """


JOINS: Catalog[Any] = Catalog("fusion.joins", "join", ("Options", "forward"))


def pooled_sources(
    findings: int, memory: Memory, studies: Mapping[str, Features]
) -> tuple[list[Tensor], Tensor]:
    """One vector a source for each study and finding, for joins that do not look at tokens.

    Args:
        findings: Number of findings, `C`.
        memory: What each finding remembers; its mean stands for it.
        studies: What the studies offer.

    Returns:
        `[B, C, D]` for each of `SOURCES`, zeros where it is missing, and which are there, as
        numbers `[B, C, 4]`.
    """
    parts = [studies[name] for name in SOURCES[1:]]
    count, near = len(parts[0].mask), memory.mask[..., None]
    known = (memory.tokens * near).sum(1) / near.sum(1).clamp_min(1)
    pooled = [
        known.expand(count, -1, -1),
        *(part.pooled[:, None].expand(-1, findings, -1) for part in parts),
    ]
    there = [
        memory.mask.any(1).expand(count, -1),
        *(part.mask.any(1)[:, None].expand(-1, findings) for part in parts),
    ]
    return pooled, torch.stack([each.to(known.dtype) for each in there], -1)
