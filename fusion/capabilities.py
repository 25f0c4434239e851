"""Capabilities: what a system can do, one small protocol each; a task names the one it needs."""

from __future__ import annotations

from abc import abstractmethod
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
    "Generates",
    "Localises",
    "Perturbs",
    "able",
]


@runtime_checkable
class Classifies(Protocol):
    """Answers for findings, each independently of the others asked for."""

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Answer for any findings (concept ids), trained or not."""

    def basis(self, finding: str) -> Basis:
        """Whether a finding was trained, can be asked zero-shot, or cannot be asked."""


@runtime_checkable
class Embeds(Protocol):
    """Puts pictures and texts into one space, for retrieval and prompts."""

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the studies' pictures, `[B, D]`; NaN for a study without one."""

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts, `[B, D]`; NaN for an empty one."""


@runtime_checkable
class Generates(Protocol):
    """Writes the report of a study from what it is given at test."""

    def generate(self, batch: StudyBatch) -> list[str]:
        """One text a study; empty for a study without a picture."""


@runtime_checkable
class Localises(Protocol):
    """Says where in a picture a finding is."""

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        """Share of each cell of each picture, `[B, C, V, h, w]`; NaN where there is no picture."""


@runtime_checkable
class Perturbs(Protocol):
    """Answers as if some of what its answers rest on were not there."""

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
        self, batch: StudyBatch, findings: tuple[str, ...], scale: Tensor
    ) -> Tensor:
        """Logits `[B, C]`, each finding with so much of each edge of `graph_tensors`, `[C, E]`."""

    def stated(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Concept of each token of evidence and whether there is one, `[B, L]` each."""


class ClassifiesTrained(System):
    """A system that answers for the findings it was trained on, and for no other."""

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
        """Only what it was trained on."""
        return "trained" if finding in self.setting.findings else "not_possible"


def able(system: System, capability: Any) -> Any:
    """A system as one that has a capability.

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
    "generate": Generates,
    "localise": Localises,
    "be perturbed": Perturbs,
}
"""What a system that has a capability can do, in words."""


def _verb(capability: Any) -> str:
    return next(name for name, kind in CAPABILITIES.items() if kind is capability)
