"""Catalog of joins: fusion of finding queries with the study and the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from encoders.batch import Features
from kg.catalog import Catalog

__all__ = ["JOINS", "Join", "Joined", "Neighbourhood", "INPUTS", "pooled_inputs"]

INPUTS = ("memory", "image", "text", "evidence")
"""Inputs that a finding query can attend to, in the order of gates and attention; `memory` is the
neighbourhood of the finding in the graph."""


@dataclass(frozen=True)
class Neighbourhood:
    """Graph neighbourhood of each requested finding.

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
        gates: Weight of each input in the last layer, `[B, C, 4]` in the order of `INPUTS`.
        attention: By input, last layer, mean over heads, `[B, C, L]`; empty unless requested.
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
        neighbourhood: Neighbourhood,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the inputs of each of `B` studies.

        Args:
            queries: Initial query of each finding, `[C, D]`.
            neighbourhood: Graph neighbourhood of each finding.
            studies: Features of the studies, by the names in `INPUTS` after `memory`.
            with_attention: Whether to return the attention of the last layer too.
        """


JOINS: Catalog[Any] = Catalog("fusion.joins", "join", ("Options", "forward"))


def pooled_inputs(
    findings: int, neighbourhood: Neighbourhood, studies: Mapping[str, Features]
) -> tuple[list[Tensor], Tensor]:
    """One vector of each input for each study and finding, for joins without tokens.

    Args:
        findings: Number of findings, `C`.
        neighbourhood: Graph neighbourhood of each finding, which is averaged.
        studies: Features of the studies.

    Returns:
        `[B, C, D]` for each of `INPUTS`, zeros where it is missing, and 1 where it is there, 0
        elsewhere, `[B, C, 4]`.
    """
    features = [studies[name] for name in INPUTS[1:]]
    count, near = len(features[0].mask), neighbourhood.mask[..., None]
    known = (neighbourhood.tokens * near).sum(1) / near.sum(1).clamp_min(1)
    pooled = [
        known.expand(count, -1, -1),
        *(one.pooled[:, None].expand(-1, findings, -1) for one in features),
    ]
    there = [
        neighbourhood.mask.any(1).expand(count, -1),
        *(one.mask.any(1)[:, None].expand(-1, findings) for one in features),
    ]
    return pooled, torch.stack([each.to(known.dtype) for each in there], -1)
