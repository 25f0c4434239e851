"""Probes of a data set: models that read what must not be able to diagnose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from encoders.study import Study
from experiments.audit.fitting import scores_of_dense
from experiments.audit.subject import Fold, Subject
from experiments.loading.metadata import MetadataEncoder
from experiments.metrics.arrays import FloatArray
from experiments.systems.logistic_metadata import LogisticMetadata

__all__ = ["FACT_PROBES", "BearsOn", "FactProbe", "NotPossible", "Probed"]

BearsOn = Literal["anything", "text", "pictures"]
"""What a system must read for a probe to be a shortcut of that system."""


class NotPossible(Exception):
    """A probe cannot be run on this data set; the message says why."""


@dataclass(frozen=True)
class Probed:
    """What came of a probe.

    Args:
        scores: Logits from the fold that tested each study, `[n, C]`.
        reads: What it read, in words.
        remark: What has to be known of it beside; empty = nothing.
    """

    scores: FloatArray = field(repr=False)
    reads: str
    remark: str = ""


@dataclass(frozen=True)
class FactProbe:
    """Logistic regression on some facts of a study (`logistic_metadata`).

    Args:
        name: What it is called.
        about: What it reads, in plain words.
        facts: Facts it reads where a data set states them.
        across: Whether it is judged over all modalities together, as it tells them apart itself.
        bears_on: What a system must read for it to be a shortcut of that system.
    """

    name: str
    about: str
    facts: tuple[str, ...]
    across: bool = False
    bears_on: BearsOn = "anything"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If no study states one of its facts, or all state the same.
        """
        told = [name for name in self.facts if _varies(subject.studies, name)]
        if not told:
            raise NotPossible(_why(subject.studies, self.facts))
        options = LogisticMetadata.Options()
        return Probed(
            scores_of_dense(subject, _Facts(subject.studies, told), options, labels),
            reads=", ".join(name.replace("_", " ") for name in told),
        )


@dataclass(frozen=True)
class _Facts:
    """Encoded facts; the modality is always among them, as a system sees it too."""

    studies: Sequence[Study]
    names: Sequence[str]

    def __call__(self, fold: Fold) -> Tensor:
        training = [self.studies[row] for row in fold.train]
        seen = {name for study in training for name, value in study.metadata.items() if value}
        reader = MetadataEncoder(
            [name for name in dict.fromkeys((*self.names, "modality")) if name in seen]
        )
        reader.fit(training)
        if not reader.width:
            return torch.zeros(len(self.studies), 1)
        return reader.read(self.studies)


FILES = ("format", "bytes", "width", "height", "size", "aspect", "pictures", "kind", "framerate")
LENGTHS = tuple(
    f"{text}_{what}"
    for text in ("report", "dialogue")
    for what in ("characters", "passages", "language")
)
FACT_PROBES = (
    FactProbe("source", "web domain, paper, collection or data set", ("source",)),
    FactProbe(
        "picture files", "format, bytes, size and number of the picture files at hand", FILES
    ),
    FactProbe("view", "projection or probe, and device", ("view", "device")),
    FactProbe("sex, age and view", "what is known of the person", ("sex", "age", "view")),
    FactProbe(
        "text length",
        "how much is written, in which language",
        LENGTHS,
        bears_on="text",
    ),
    FactProbe("modality", "X-ray, CT or ultrasound", ("modality",), across=True),
)
"""Probes that read facts alone."""


def _varies(studies: Sequence[Study], name: str) -> bool:
    """Whether a fact is stated, and not the same of every study."""
    return len({study.metadata.get(name, "") for study in studies}) > 1


def _why(studies: Sequence[Study], names: Sequence[str]) -> str:
    """Why nothing can be learnt of some facts."""
    stated = [name for name in names if studies[0].metadata.get(name)]
    if not stated:
        return f"no study states {' or '.join(name.replace('_', ' ') for name in names)}"
    same = ", ".join(f"{name.replace('_', ' ')} {studies[0].metadata[name]!r}" for name in stated)
    return f"every study has the same: {same}"
