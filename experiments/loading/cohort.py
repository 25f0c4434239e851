"""Cohort: studies as tensors in memory, cut into batches by index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from encoders.batch import Statements, StudyBatch, Text
from encoders.reading.augmentation import Augmentation, draw_change
from encoders.sentences import one_sentence
from encoders.study import Study
from experiments.loading.loader import TrainingLoader

__all__ = ["Cohort", "Pictures", "StudyOrder", "batches"]


@dataclass(frozen=True)
class Pictures:
    """Images of a cohort.

    Args:
        values: Tokens `[P, S, D]` of a frozen encoder, or pixels in [0, 1]: grey `[P, H, W]` or
            colour `[P, 3, H, W]`.
        rows: Row of each image of each study, `[n, V]`, -1 = no image.
        view: Index into `VIEWS`, `[n, V]`.
        modality: Index into `MODALITIES`, `[n, V]`.
        mean: Subtracted from pixels, one a channel; empty for tokens.
        std: Divides pixels after that.
        boxes: Bounding boxes in the resized images, `[n, V, 4]`, NaN = none; or None.
    """

    values: Tensor
    rows: Tensor
    view: Tensor
    modality: Tensor
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    boxes: Tensor | None = None


@dataclass(frozen=True)
class Cohort:
    """Studies as tensors, all in the order of `studies`.

    Args:
        studies: The studies.
        targets: `[n, C]`, NaN = not stated.
        pictures: Their images, or None.
        text: Text allowed by the policy, or None.
        evidence: Statements of that text, `[n, N]`, or None.
        concept_targets: Statements of full report and coding, `[n, N]`, NaN = not stated.
        paired_text: Report for contrastive losses, or None.
        statements: Statements of the paired reports with their words, or None.
        triples: Edges of the graph that batches are drawn from, `[E, 3]`; see `StudyBatch.triples`.
        facts: Encoded metadata `[n, F]`, or None.
        augmentation: Augmentation of training pixels, or None.
        sentences: Whether a training batch holds one sentence of each paired report.
        reports: Findings and impression of each study, by study.
        subsets: Places of the studies of each data set, the run's own first; empty = one data set.
    """

    studies: tuple[Study, ...]
    targets: Tensor
    pictures: Pictures | None = None
    text: Text | None = None
    evidence: Tensor | None = None
    concept_targets: Tensor | None = None
    paired_text: Text | None = None
    statements: Statements | None = None
    triples: Tensor | None = None
    facts: Tensor | None = None
    augmentation: Augmentation | None = None
    sentences: bool = False
    reports: Mapping[str, str] = field(default_factory=dict)
    subsets: Mapping[str, range] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.studies)

    def batch(
        self,
        chosen: Sequence[int],
        *,
        training: bool = False,
        generator: np.random.Generator | None = None,
    ) -> StudyBatch:
        """Batch of the studies at these places.

        Args:
            chosen: Places, length `B`.
            training: Add training-only targets and text.
            generator: For augmentation and the choice of sentences and edges; None = no
                augmentation, and always the same of both.
        """
        at = torch.as_tensor(list(chosen), dtype=torch.long)
        batch = StudyBatch(
            ids=tuple(self.studies[int(place)].study for place in chosen),
            **self._image_fields(at, generator),
            text=None if self.text is None else self.text.rows(at),
            evidence=None if self.evidence is None else self.evidence[at],
            targets=self.targets[at],
            metadata=None if self.facts is None else self.facts[at],
        )
        if not training:
            return batch
        return replace(
            batch,
            concept_targets=None if self.concept_targets is None else self.concept_targets[at],
            paired_text=self._paired(at, generator),
            statements=None if self.statements is None else self.statements.rows(at),
            triples=self._triples(len(at), generator),
        )

    def report_text(self, study: str) -> str:
        """Findings and impression of a study, the reference for generated reports."""
        return self.reports[study]

    def order(
        self,
        batch_size: int,
        seed: int | None,
        *,
        rank: int = 0,
        processes: int = 1,
        sample: Sample | None = None,
    ) -> StudyOrder:
        """Batches of an epoch for one process."""
        return StudyOrder(
            range(len(self)),
            batch_size,
            seed=seed,
            rank=rank,
            processes=processes,
            sample=sample,
        )

    def loader(self, order: StudyOrder) -> TrainingLoader:
        """Training batches, collated in this process: the tensors are in memory already."""
        return TrainingLoader(
            range(len(self)),
            order,
            lambda chosen: self.batch(chosen, training=True, generator=order.generator()),
        )

    def _paired(self, at: Tensor, generator: np.random.Generator | None) -> Text | None:
        """Full reports, or one sentence of each."""
        if self.paired_text is None:
            return None
        text = self.paired_text.rows(at)
        if not self.sentences:
            return text
        return one_sentence(text, generator or np.random.default_rng(0))

    def _triples(self, size: int, generator: np.random.Generator | None) -> Tensor | None:
        """As many edges of the graph, drawn at random; none where it has none."""
        if self.triples is None or not len(self.triples):
            return self.triples
        drawn = (generator or np.random.default_rng(0)).integers(len(self.triples), size=size)
        return self.triples[torch.from_numpy(drawn)]

    def _image_fields(self, at: Tensor, generator: np.random.Generator | None) -> dict[str, Any]:
        """Image fields of a batch."""
        if self.pictures is None:
            empty = torch.zeros(len(at), 1, dtype=torch.long)
            return {
                "pixels": None,
                "image_tokens": None,
                "image_mask": empty.bool(),
                "view": empty,
                "modality": empty,
            }
        rows = self.pictures.rows[at]
        mask = rows >= 0
        values = self.pictures.values[rows.clamp_min(0)].float()
        values[~mask] = 0.0  # padding may hold values that are not finite
        tokens = not self.pictures.mean
        boxes = None if self.pictures.boxes is None else self.pictures.boxes[at]
        if not tokens:
            if generator is not None and self.augmentation is not None:
                values, boxes = _augmented(values, boxes, self.augmentation, generator)
            values = self._pixels(values)
        return {
            "pixels": None if tokens else values,
            "image_tokens": values if tokens else None,
            "image_mask": mask,
            "view": self.pictures.view[at],
            "modality": self.pictures.modality[at],
            "boxes": boxes,
        }

    def _pixels(self, images: Tensor) -> Tensor:
        """Normalised pixels `[B, V, c, H, W]` of grey `[B, V, H, W]` or colour images."""
        assert self.pictures is not None
        mean = torch.tensor(self.pictures.mean)[:, None, None]
        std = torch.tensor(self.pictures.std)[:, None, None]
        return ((images[:, :, None] if images.ndim == 4 else images) - mean) / std


def _augmented(
    images: Tensor,
    boxes: Tensor | None,
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor | None]:
    """Augmented images `[B, V, H, W]` or `[B, V, 3, H, W]`, with their bounding boxes."""
    side = images.shape[-1]
    planes = images.flatten(0, 1).numpy()
    changes = [draw_change(augmentation, side, side, generator) for _ in planes]
    moved = [change.pixels(plane) for change, plane in zip(changes, planes, strict=True)]
    if boxes is not None:
        none = (float("nan"),) * 4
        placed = [
            none if math.isnan(box[0]) else change.box(tuple(box), side) or none
            for change, box in zip(changes, boxes.flatten(0, 1).tolist(), strict=True)
        ]
        boxes = torch.tensor(placed).view_as(boxes)
    return torch.from_numpy(np.stack(moved)).view_as(images), boxes


class Sample(Protocol):
    """Sampler of an epoch (`experiments.loading.sampling`)."""

    @property
    def size(self) -> int:
        """Number of studies of an epoch."""

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Places of an epoch in random order."""


class StudyOrder(Sampler[list[int]]):
    """Batch sampler of an epoch, shuffled by seed and epoch alone, so that it can be resumed.

    Args:
        places: Places in the cohort that may be drawn.
        batch_size: Studies a batch.
        seed: Seed of the order; None keeps the order of `places`.
        rank: Rank of this process, which takes its share of every batch.
        processes: Number of processes that share a batch equally; the remainder of a last batch
            is left to another epoch.
        sample: Sampler of an epoch; None = all places.

    Raises:
        ValueError: If a batch cannot be shared equally.
    """

    def __init__(
        self,
        places: Sequence[int],
        batch_size: int,
        *,
        seed: int | None,
        rank: int = 0,
        processes: int = 1,
        sample: Sample | None = None,
    ) -> None:
        if batch_size % processes:
            raise ValueError(f"{processes} processes cannot share a batch of {batch_size} equally")
        self.places, self.batch_size, self.seed = list(places), batch_size, seed
        self.rank, self.processes, self.sample = rank, processes, sample
        self.epoch, self.taken = 0, 0
        self._drawn = (0, 0)

    @property
    def sampler(self) -> StudyOrder:
        """This order: Lightning tells the epoch to the sampler of a batch sampler alone."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is drawn next; called by Lightning."""
        self.epoch = epoch

    def skip(self, taken: int) -> int:
        """Skip the first `taken` studies of the next epoch; returns the batches skipped."""
        self.taken = taken
        return len(self) - len(range(taken, self._end, self.batch_size))

    @property
    def _end(self) -> int:
        """Number of studies of an epoch that the processes can share equally."""
        size = len(self.places) if self.sample is None else self.sample.size
        return size - size % self.batch_size % self.processes

    def __len__(self) -> int:
        return -(-self._end // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.asarray(self.places)
        if self.seed is not None or self.sample is not None:
            rng = np.random.default_rng([self.seed or 0, self.epoch])
            order = rng.permutation(order) if self.sample is None else self.sample.draw(rng)
        taken, self.taken = self.taken, 0
        for start in range(taken, self._end, self.batch_size):
            self._drawn = self.epoch, start
            batch = order[start : min(start + self.batch_size, self._end)]
            yield batch[self.rank :: self.processes].tolist()

    def generator(self) -> np.random.Generator:
        """Randomness of the batch drawn last: by seed, epoch, place and process alone.

        So what happens to pixels does not hang on how often a run was stopped and resumed.
        """
        return np.random.default_rng([self.seed or 0, *self._drawn, self.rank])


class Batched(Protocol):
    """Studies that can be cut into batches by their place."""

    def batch(self, chosen: Sequence[int], *, training: bool = False) -> StudyBatch:
        """Batch of the studies at these places."""


def batches(
    cohort: Batched, places: Sequence[int], size: int = 128, *, training: bool = False
) -> Iterator[StudyBatch]:
    """Batches of some studies in their order."""
    for start in range(0, len(places), size):
        yield cohort.batch(places[start : start + size], training=training)
