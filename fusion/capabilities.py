"""Capabilities of systems, one small protocol each; a task names the one it needs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from encoders.batch import StudyBatch, Text
from fusion.system import Basis, Output, Setting, System
from kg.errors import InputError

__all__ = [
    "CAPABILITIES",
    "Classifies",
    "ClassifiesTrained",
    "Embeds",
    "Explains",
    "Generates",
    "Localises",
    "Matches",
    "Perturbs",
    "Relates",
    "able",
]


@runtime_checkable
class Classifies(Protocol):
    """Predicts findings, each independently of the others requested."""

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Predict any findings (concept ids), trained or not."""

    def basis(self, finding: str) -> Basis:
        """Basis of a finding: trained, zero-shot, or not possible."""


@runtime_checkable
class Embeds(Protocol):
    """Embeds images and texts in one space, for retrieval and prompts."""

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the studies' images, `[B, D]`; NaN for a study without one."""

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts, `[B, D]`; NaN for an empty one."""


@runtime_checkable
class Explains(Protocol):
    """Gives reasons for its predictions in words."""

    def evidence(self, batch: StudyBatch, findings: tuple[str, ...]) -> list[list[list[str]]]:
        """Lines for each study and each finding, the weightiest first; none where it has none."""


@runtime_checkable
class Generates(Protocol):
    """Writes the report of a study from its input at test."""

    def generate(self, batch: StudyBatch) -> list[str]:
        """One text a study; empty for a study without an image."""


@runtime_checkable
class Localises(Protocol):
    """Localises findings in images."""

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        """Share of each cell of each image, `[B, C, V, h, w]`; NaN where there is no image."""


@runtime_checkable
class Matches(Protocol):
    """Says how well a text fits an image, by reading both together."""

    def match(self, batch: StudyBatch, text: Text) -> Tensor:
        """Logits of every image with every text, `[B, A]`; NaN where one is not there."""


@runtime_checkable
class Perturbs(Protocol):
    """Predicts without some of its input, for explanations."""

    def predict_without(
        self, batch: StudyBatch, findings: tuple[str, ...], hidden: Tensor
    ) -> Output:
        """As `predict`, without the places of each finding's neighbourhood that are True.

        Args:
            batch: The studies.
            findings: Concept ids.
            hidden: `[C, K]`.
        """

    def predict_on_edges(
        self, batch: StudyBatch, findings: Sequence[tuple[str, ...]], scale: Tensor
    ) -> list[Tensor]:
        """Logits `[B, C]` on several versions of the graph.

        Args:
            batch: The studies.
            findings: Concept ids (`C`) for each version.
            scale: So much of each edge of `graph_tensors` in each version, `[versions, E]`.
        """

    def stated(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Concept of each token of evidence, and its mask, `[B, L]` each."""


@runtime_checkable
class Relates(Protocol):
    """Relates concepts of the graph by what it has learnt of its edges."""

    def relate(self, triples: Tensor) -> Tensor:
        """Similarity of subject and relation of triples `[K, 3]` with every concept, `[K, N]`."""


class ClassifiesTrained(System):
    """A system that predicts the findings it was trained on, and no others."""

    setting: Setting

    @abstractmethod
    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`."""

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Logits of the findings it was trained on; NaN for others."""
        logits = self.logits(batch)
        answers = logits.new_full((len(logits), len(findings)), float("nan"))
        for column, finding in enumerate(findings):
            if finding in self.setting.findings:
                answers[:, column] = logits[:, self.setting.findings.index(finding)]
        return Output(answers)

    def basis(self, finding: str) -> Basis:
        """Trained for the findings trained on; not possible for others."""
        return "trained" if finding in self.setting.findings else "not_possible"


def able(system: System, capability: Any) -> Any:
    """The system, checked to have a capability.

    Raises:
        InputError: If it lacks it.
    """
    if not isinstance(system, capability):
        can = [name for name, kind in CAPABILITIES.items() if isinstance(system, kind)]
        name = type(system).__name__
        raise InputError(
            f"the system {name} cannot {_verb(capability)}",
            f"it can {', '.join(can)}" if can else "it can be trained, and handed on by `start:`",
        )
    return system


CAPABILITIES: dict[str, type] = {
    "classify": Classifies,
    "embed": Embeds,
    "explain": Explains,
    "generate": Generates,
    "localise": Localises,
    "match images and texts": Matches,
    "be perturbed": Perturbs,
    "relate concepts": Relates,
}
"""Capabilities by a verb for messages."""


def _verb(capability: Any) -> str:
    return next(name for name, kind in CAPABILITIES.items() if kind is capability)
