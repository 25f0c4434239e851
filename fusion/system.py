"""System: interface between a method and the runner, with its inputs and outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor, nn

from encoders.batch import StudyBatch, Text
from encoders.text import Vocabulary
from fusion.needs import Needs
from fusion.stage import Stage
from kg.model.graph import KnowledgeGraph
from kg.options import Options

Basis = Literal["trained", "zero_shot", "not_possible"]


@dataclass(frozen=True)
class ConceptTexts:
    """Texts about the graph, for the run's text encoder; of a frozen one their mean tokens.

    Args:
        names: Preferred name of each concept, `N` texts in the graph's order.
        definitions: Definition of each concept, its name where the graph has none, `N` texts.
        relations: Each relation of `encoders.graph_arrays.CLINICAL` in words, `R` texts.
    """

    names: Text
    definitions: Text
    relations: Text


@dataclass(frozen=True)
class Setting:
    """Description of the studies and the graph that a system is built for.

    Args:
        graph: The graph the run uses, controls and left-out data already applied.
        concept_vectors: Frozen vector of each concept from its names, `[N, D]`.
        findings: Concept ids of the findings trained on, in order.
        exclusive: Whether exactly one of the findings holds.
        supervised: Concept ids with enough training studies for concept supervision.
        image_width: Width of cached image tokens; 0 where images are not cached.
        image_tokens: Image tokens of one image, `S`.
        text_width: Width of cached text tokens; 0 where text is encoded in the system.
        image_encoder: Trainable image encoder module, or None where tokens are cached.
        image_maps: Width, and height and width in cells, of the feature maps that the system
            requires, by name.
        text_encoder: Trainable text encoder module, or None where tokens are cached or no text.
        prevalence: Share of positives of each finding in the training studies, `[C]`.
        facts_width: Width of the encoded facts (probes only); 0 where none are given.
        vocabulary: Words of the text encoder by number, where the system requires them; or None.
        texts: Names and definitions of the concepts, where the system requires them; or None.
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
    texts: ConceptTexts | None = None


@dataclass(frozen=True)
class Output:
    """Output of a system for a batch.

    Args:
        logits: `[B, C]`; NaN for a finding the system cannot predict.
        attention: By input (`memory` = graph neighbours, `image`, `text`, `evidence`), last layer,
            `[B, C, L]`.
        gates: Weight of each input, `[B, C, 4]` in the order of `attention`, or None.
    """

    logits: Tensor
    attention: Mapping[str, Tensor] = field(default_factory=dict)
    gates: Tensor | None = None


@dataclass(frozen=True)
class Module:
    """A module of a system that another run may take over.

    Args:
        prefix: Prefix of its parameters in the system.
        reads: Fitted preprocessing that its weights depend on and that is handed over with it: the
            reduction of image tokens (`image`), the vocabulary (`text`), or none.
    """

    prefix: str
    reads: Literal["image", "text", ""] = ""


class System(nn.Module, ABC):
    """A method: its needs, its stages of training and its losses.

    A published system is one file in `experiments/systems`. Built as
    `Part(options, setting, stages)`. Capabilities (`fusion.capabilities`) are
    declared by having their methods.
    """

    Options: ClassVar[type[Options]]
    MODULES: ClassVar[Mapping[str, Module]] = {}
    """Modules that another run may take over, by name."""
    setting: Setting
    stages: tuple[Stage, ...]

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """Stages of training where the configuration names none."""
        return ()

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Names of the losses that a stage may weigh, its own and shared ones."""
        return ("classification",)

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """Inputs that it requires beside studies and labels, when trained in these stages."""
        return Needs()

    def prepare(self, batches: Iterable[StudyBatch]) -> None:  # noqa: B027
        """Fit parameters without gradients on the training studies; most systems have none."""

    def choose(self, measure: Callable[[], float]) -> Mapping[str, float]:
        """Choose parameters on validation after training; most systems have none.

        Args:
            measure: Gives the validation AUROC of the current weights; NaN where it is not defined.

        Returns:
            Chosen values by name, for the record.
        """
        return {}

    @abstractmethod
    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Scalar loss of each objective of the stage, unweighted; NaN targets never count."""

    def neighbours(self, finding: str) -> tuple[str, ...]:
        """Concepts in the neighbourhood of a finding, in the order of attention on `memory`."""
        return ()

    def after_step(self) -> None:  # noqa: B027
        """Update momentum encoders, queues and the like, once after each optimiser step."""


@dataclass(frozen=True)
class Prediction:
    """Predictions for studies, ready for a table.

    Args:
        studies: Study identifiers, length `B`.
        findings: Concept ids, length `C`.
        probabilities: `[B, C]` in [0, 1]; NaN where a finding is not possible.
        basis: Basis of each finding's prediction.
        thresholds: Decision threshold of each trained finding; None for zero-shot ones.
        threshold_rule: Rule by which thresholds were chosen, or empty.
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
