"""System: the only seam between a method and the runner, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from encoders.batch import StudyBatch
from encoders.text import Vocabulary
from fusion.needs import Needs
from fusion.stage import Stage
from kg.model.graph import KnowledgeGraph
from kg.options import Options

Basis = Literal["trained", "zero_shot", "not_possible"]


@dataclass(frozen=True)
class Setting:
    """What a system is told about the study data and the graph before it is built.

    Args:
        graph: The graph the run uses, controls and left-out data already applied.
        concept_vectors: Frozen vector of each concept from its names, `[N, D]`.
        findings: Concept ids of the findings trained on, in order.
        exclusive: Whether exactly one of the findings holds.
        supervised: Concept ids with enough training studies for concept supervision.
        image_width: Width of cached image tokens; 0 where pictures are not cached.
        image_tokens: Image tokens of one picture, `S`.
        text_width: Width of cached text tokens; 0 where text is encoded in the system.
        image_encoder: Trainable image encoder module, or None where tokens are cached.
        image_maps: Width, and height and width in cells, of the feature maps that the system asks
            for, by name.
        text_encoder: Trainable text encoder module, or None where tokens are cached or no text.
        prevalence: Share of positives of each finding in the training studies, `[C]`.
        facts_width: Width of the encoded facts (probes only); 0 where none are given.
        vocabulary: Words of the text encoder by number, where the system asks for them; or None.
    """

    graph: KnowledgeGraph
    concept_vectors: Tensor
    findings: tuple[str, ...]
    exclusive: bool = False
    supervised: tuple[str, ...] = ()
    image_width: int = 0
    image_tokens: int = 0
    text_width: int = 0
    image_encoder: nn.Module | None = None
    image_maps: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    text_encoder: nn.Module | None = None
    prevalence: tuple[float, ...] = ()
    facts_width: int = 0
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True)
class Output:
    """What a system says about a batch.

    Args:
        logits: `[B, C]`; NaN for a finding the system cannot answer.
        attention: By source (`memory`, `image`, `text`, `evidence`), last layer, `[B, C, L]`.
        gates: Weight of each source, `[B, C, 4]` in the order of `attention`, or None.
    """

    logits: Tensor
    attention: Mapping[str, Tensor] = field(default_factory=dict)
    gates: Tensor | None = None


@dataclass(frozen=True)
class Module:
    """A module of a system that another run may take over.

    Args:
        prefix: Prefix of its parameters in the system.
        reads: The fitted reading its weights rest on, which is handed over with it: the reduction
            of image tokens (`image`), the vocabulary (`text`), or none.
    """

    prefix: str
    reads: Literal["image", "text", ""] = ""


class System(nn.Module, ABC):
    """A method: what it needs, how it is trained, and what it learns from a batch.

    A published system is one file in `experiments/systems`. Built as
    `Part(options, setting, stages)`. What it can do once trained is a capability
    (`fusion.capabilities`): it has the methods of it, and says so nowhere else.
    """

    Options: ClassVar[type[Options]]
    MODULES: ClassVar[Mapping[str, Module]] = {}
    """What another run may take over, by name."""
    setting: Setting
    stages: tuple[Stage, ...]

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """Stages of training where the configuration names none."""
        return ()

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Losses that a stage may weigh, its own and shared ones."""
        return ("classification",)

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """What it asks of its input beside studies and labels, when trained in these stages."""
        return Needs()

    def prepare(self, batches: Iterable[StudyBatch]) -> None:  # noqa: B027
        """Fit what is not trained by gradients on the training studies; most systems do nothing."""

    def choose(self, measure: Callable[[], float]) -> Mapping[str, float]:
        """Choose what is chosen on validation once training is over; most systems choose nothing.

        Args:
            measure: Validation AUROC of the system as it stands; NaN where it is not defined.

        Returns:
            What was chosen, by name, for the record.
        """
        return {}

    @abstractmethod
    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Scalar loss of each objective of the stage, unweighted; NaN targets never count."""

    def remembered(self, finding: str) -> tuple[str, ...]:
        """Concepts that attention on `memory` is about, in its order; none without a graph."""
        return ()

    def after_step(self) -> None:  # noqa: B027
        """Called once after each optimiser step (momentum encoders, queues)."""


@dataclass(frozen=True)
class Prediction:
    """Answers for studies, ready for a table.

    Args:
        studies: Study identifiers, length `B`.
        findings: Concept ids, length `C`.
        probabilities: `[B, C]` in [0, 1]; NaN where a finding is not possible.
        basis: How each finding is answered.
        thresholds: Decision threshold of each trained finding; None for zero-shot ones.
        threshold_rule: How the thresholds were chosen, or empty.
        calibration: Temperature of each trained finding, None for zero-shot ones.
        attention: As in `Output`, arrays.
    """

    studies: tuple[str, ...]
    findings: tuple[str, ...]
    probabilities: np.ndarray[Any, np.dtype[np.float64]]
    basis: tuple[Basis, ...]
    thresholds: tuple[float | None, ...]
    threshold_rule: str = ""
    calibration: tuple[float | None, ...] = ()
    attention: Mapping[str, np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=dict)
