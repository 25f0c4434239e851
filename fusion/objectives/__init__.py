"""Catalog of objectives: training losses of the classifier, each one an ablation arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from encoders.batch import Features, StudyBatch
from kg.catalog import Catalog

__all__ = ["OBJECTIVES", "Forward", "Objective"]


@dataclass(frozen=True)
class Forward:
    """Output of a classifier's forward pass, for the objectives.

    Args:
        logits: `[B, C]` for the findings trained on.
        concept_logits: `[B, K]` for the supervised concepts, from the dot product alone.
        nodes: Embedded concepts `[N, D]`.
        image: Image features.
        text: Features of the text given as input.
        paired: Features of the paired report, in training only; never an input.
        gates: Weight of each input, `[B, C, 4]`.
    """

    logits: Tensor
    concept_logits: Tensor
    nodes: Tensor
    image: Features
    text: Features
    paired: Features | None = None
    gates: Tensor | None = None


@runtime_checkable
class Objective(Protocol):
    """A torch module built as `Part(options, setting=Setting, width=D)`."""

    Options: Any

    def __call__(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Scalar loss, a mean over stated labels; zero where there are none."""


OBJECTIVES: Catalog[Any] = Catalog("fusion.objectives", "objective", ("Options", "forward"))
