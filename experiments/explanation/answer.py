"""Answer: the predicted findings of one study, each with its evidence, as records without a model.

Every share is measured: what the finding's logit loses when this part of this very study, or this
edge of the graph, is deleted. A share above 0 speaks for the finding, one below 0 against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from scipy.ndimage import label as connected

from encoders.study import Passage, StudyImage
from experiments.metrics.arrays import FloatArray
from experiments.records.record import Measured
from fusion.system import Basis
from kg.mentions.statement import Statement
from kg.model.edges import Edge

__all__ = [
    "Box",
    "Certainty",
    "Conformal",
    "EdgeShare",
    "FactPath",
    "FindingAnswer",
    "ImageMap",
    "MapMethod",
    "Model",
    "ShownImage",
    "StatementShare",
    "StudyAnswer",
    "Unusual",
    "Verdict",
    "WordShare",
]

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of a picture's sides."""

MapMethod = Literal["occlusion", "integrated_gradients", "grad_cam"]

Verdict = Literal["present", "absent", "uncertain", "no threshold", "not possible"]

HALF = 0.5
"""Share of the maximum of a map that the places in its box reach."""


class Model(NamedTuple):
    """Finished run that answered.

    Args:
        run: Run id.
        system: Name of the system.
        dataset: Data set it was trained on.
        inputs: Inputs it reads.
        weights: SHA-256 of its weights.
        graph: Fingerprint of its graph; empty where it uses none.
        version: Version of kgdx that trained it.
    """

    run: str
    system: str
    dataset: str
    inputs: tuple[str, ...]
    weights: str
    graph: str
    version: str


class ShownImage(NamedTuple):
    """A still image, a slice or a frame that the model read.

    Args:
        image: The image, with the place of the slice or frame.
        shape: Height and width in pixels, as it is shown.
    """

    image: StudyImage
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ImageMap:
    """Share of each place of a picture, in the picture's own geometry.

    Padding, resizing and tiles of the model's view are undone.

    Args:
        image: Place of the picture in `StudyAnswer.images`.
        method: How it was made; only `occlusion` is a measured share.
        values: `[h, w]`, laid evenly over the whole picture, the upper left corner first.
    """

    image: int
    method: MapMethod
    values: FloatArray

    @property
    def box(self) -> Box | None:
        """Box of the region around the maximum, whose places reach half of it; None if none."""
        best = float(self.values.max(initial=0.0))
        if best <= 0:
            return None
        regions, _ = connected(self.values >= HALF * best)
        high, wide = self.values.shape
        top, left = np.unravel_index(int(self.values.argmax()), self.values.shape)
        rows, columns = np.nonzero(regions == regions[top, left])
        edges = columns.min() / wide, rows.min() / high
        ends = (columns.max() + 1) / wide, (rows.max() + 1) / high
        return float(edges[0]), float(edges[1]), float(ends[0]), float(ends[1])


class WordShare(NamedTuple):
    """Share of a word, or of a sentence of a long text.

    Args:
        passage: Index in `StudyAnswer.passages`.
        start: First character within the passage's text.
        end: One past the last character.
        share: What the finding's logit loses without it.
    """

    passage: int
    start: int
    end: int
    share: float


class StatementShare(NamedTuple):
    """Share of the words that state a concept, deleted together.

    Args:
        statement: The statement, with its span.
        label: Preferred name of its concept.
        share: What the finding's logit loses without its words.
    """

    statement: Statement
    label: str
    share: float


class EdgeShare(NamedTuple):
    """An edge of the graph, with its evidence, and its share in this answer.

    Args:
        edge: The edge.
        share: What the finding's logit loses without it, less what it loses for the same study
            with averaged pictures and no text: an edge that says the same for every study has none.
    """

    edge: Edge
    share: float


class FactPath(NamedTuple):
    """Concept that a finding was answered by, with its way over the graph to the finding.

    Args:
        concept: The concept.
        origin: `stated` by the text of the study, or only `linked` to the finding in the graph.
        assertion: What is stated of it; empty where it is linked.
        edges: Edges in order, from the concept to the finding; none = no way counts, or the
            concept is the finding itself.
        share: What the finding's logit loses without the statement, or without the one edge.
    """

    concept: str
    origin: Literal["stated", "linked"]
    assertion: str
    edges: tuple[EdgeShare, ...]
    share: float


class Conformal(NamedTuple):
    """Answers that cannot be excluded at a level of confidence (split-conformal set).

    Args:
        level: Share of studies whose true answer the set is to hold.
        answers: The set; both or neither = the model abstains.
        covered: Share of test studies whose set held the true answer, with its interval.
        covered_present: The same among those with the finding.
        studies: Test studies with a label.
    """

    level: float
    answers: frozenset[Literal["present", "absent"]]
    covered: Measured
    covered_present: Measured
    studies: int


class Certainty(NamedTuple):
    """How sure an answer is.

    Args:
        probability: Calibrated probability, mean over the runs; None where not possible.
        calibrated: Whether it was calibrated on validation.
        low: Lowest probability of the runs; None of a single run.
        high: Highest probability of the runs.
        runs: Number of runs.
        conformal: Split-conformal set; None where validation has too few labels for one.
    """

    probability: float | None
    calibrated: bool
    low: float | None = None
    high: float | None = None
    runs: int = 1
    conformal: Conformal | None = None


@dataclass(frozen=True)
class FindingAnswer:
    """Predicted finding of a study with its evidence.

    Args:
        finding: Concept id.
        label: Preferred name.
        basis: Basis of the prediction.
        threshold: Decision threshold; None where validation chose none.
        certainty: How sure the answer is.
        inputs: Share of each whole input (`image`, `text`) that the study has and can be without.
        maps: Where in the pictures.
        words: Which words, in order of the text.
        statements: Which statements, the largest share first.
        facts: Ways over the graph, the largest share first.
    """

    finding: str
    label: str
    basis: Basis
    threshold: float | None
    certainty: Certainty
    inputs: Mapping[str, float] = field(default_factory=dict)
    maps: tuple[ImageMap, ...] = ()
    words: tuple[WordShare, ...] = ()
    statements: tuple[StatementShare, ...] = ()
    facts: tuple[FactPath, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The answer in a word; `uncertain` where the conformal set is not that answer alone."""
        probability, conformal = self.certainty.probability, self.certainty.conformal
        if probability is None:
            return "not possible"
        if self.threshold is None:
            return "no threshold"
        answer: Literal["present", "absent"]
        answer = "present" if probability >= self.threshold else "absent"
        return answer if conformal is None or conformal.answers == {answer} else "uncertain"


class Unusual(NamedTuple):
    """Whether the pictures are unlike those of training (out of distribution).

    Args:
        distance: Largest distance of a picture to the training pictures.
        threshold: Distance above which a picture is flagged, from validation.
        flagged: Places in `StudyAnswer.images` of the pictures above it.
        false_alarms: Share of test studies that are flagged, with its interval.
    """

    distance: float
    threshold: float
    flagged: tuple[int, ...]
    false_alarms: Measured


@dataclass(frozen=True)
class StudyAnswer:
    """Answer for one study.

    Args:
        study: Study identifier.
        models: The runs that answered; the evidence is that of the first.
        images: Pictures that were read.
        passages: Passages of text that were read.
        findings: Answers in order of importance.
        unusual: Comparison of the pictures with those of training; None where not measured.
        exposed: How training knows the study (`study`, `picture`, ...); empty = it does not.
        refused: Path and reason of each unreadable picture.
        notes: Notes on the inputs.
        names: Preferred name of each concept in the facts.
    """

    study: str
    models: tuple[Model, ...]
    images: tuple[ShownImage, ...]
    passages: tuple[Passage, ...]
    findings: tuple[FindingAnswer, ...]
    unusual: Unusual | None = None
    exposed: str = ""
    refused: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
