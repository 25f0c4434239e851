"""Metadata probes: models of inputs that must not be able to diagnose."""

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

__all__ = ["METADATA_PROBES", "BearsOn", "MetadataProbe", "NotPossible", "Probed"]

BearsOn = Literal["anything", "text", "images"]
"""Input that a system must read for a probe to be a shortcut of it."""


class NotPossible(Exception):
    """A probe cannot be run on this data set; the message says why."""


@dataclass(frozen=True)
class Probed:
    """Scores of a probe.

    Args:
        scores: Logits from the fold that tested each study, `[n, C]`.
        reads: Inputs it read.
        remark: Remark on the scores; empty = none.
    """

    scores: FloatArray = field(repr=False)
    reads: str
    remark: str = ""


@dataclass(frozen=True)
class MetadataProbe:
    """Logistic regression on metadata fields of a study (`logistic_metadata`).

    Args:
        name: Name of the probe.
        about: Description of its inputs.
        facts: Metadata fields it reads where a data set states them.
        across: Whether it is judged over all modalities together, since it predicts the modality.
        bears_on: Input that a system must read for the probe to be a shortcut of it.
    """

    name: str
    about: str
    facts: tuple[str, ...]
    across: bool = False
    bears_on: BearsOn = "anything"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If no study states one of its fields, or all state the same.
        """
        fields = [name for name in self.facts if _varies(subject.studies, name)]
        if not fields:
            raise NotPossible(_why(subject.studies, self.facts))
        options = LogisticMetadata.Options()
        return Probed(
            scores_of_dense(subject, _Metadata(subject.studies, fields), options, labels),
            reads=", ".join(name.replace("_", " ") for name in fields),
        )


@dataclass(frozen=True)
class _Metadata:
    """Encoded metadata fields; the modality is always among them, as for a system."""

    studies: Sequence[Study]
    names: Sequence[str]

    def __call__(self, fold: Fold) -> Tensor:
        training = [self.studies[row] for row in fold.train]
        stated = {name for study in training for name, value in study.metadata.items() if value}
        reader = MetadataEncoder(
            [name for name in dict.fromkeys((*self.names, "modality")) if name in stated]
        )
        reader.fit(training)
        if not reader.width:
            return torch.zeros(len(self.studies), 1)
        return reader.read(self.studies)


FILES = ("format", "bytes", "width", "height", "size", "aspect", "images", "kind", "framerate")
LENGTHS = tuple(
    f"{text}_{what}"
    for text in ("report", "dialogue")
    for what in ("characters", "passages", "language")
)
METADATA_PROBES = (
    MetadataProbe("origin", "web domain, paper, collection or data set", ("source",)),
    MetadataProbe("image files", "format, bytes, size and number of image files", FILES),
    MetadataProbe("view", "projection or probe, and device", ("view", "device")),
    MetadataProbe("sex, age and view", "sex, age and view", ("sex", "age", "view")),
    MetadataProbe(
        "text length",
        "length and language of the texts",
        LENGTHS,
        bears_on="text",
    ),
    MetadataProbe("modality", "X-ray, CT or ultrasound", ("modality",), across=True),
)
"""Probes that read metadata only."""


def _varies(studies: Sequence[Study], name: str) -> bool:
    """Whether a metadata field is stated and not the same for every study."""
    return len({study.metadata.get(name, "") for study in studies}) > 1


def _why(studies: Sequence[Study], names: Sequence[str]) -> str:
    """Reason why nothing can be learnt from some metadata fields."""
    stated = [name for name in names if studies[0].metadata.get(name)]
    if not stated:
        return f"no study states {' or '.join(name.replace('_', ' ') for name in names)}"
    same = ", ".join(f"{name.replace('_', ' ')} {studies[0].metadata[name]!r}" for name in stated)
    return f"every study has the same: {same}"
