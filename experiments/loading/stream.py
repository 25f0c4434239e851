"""Streaming of training studies from shards, shuffled in a buffer and never all in memory.

The shards of an epoch are shuffled and divided among the processes that train together and, within
each, among a few lanes; each lane reads its shards front to back, repeatedly, through a shuffle
buffer. Batches are taken from the lanes in turn, so the number of worker processes changes nothing,
and a resumed run continues with the batch it would have had. Every process draws equally many
studies; where shards hold unequal numbers, a study may then come twice in an epoch and another not
at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.loading.cohort import StudyOrder
from experiments.loading.loader import TrainingLoader
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.preparation.copy import StudyTable
from experiments.preparation.shards import Sample, Shards
from kg.errors import InputError

__all__ = ["StreamedCohort", "StreamOrder"]

LANES = 4
"""Largest number of lanes, and of worker processes, of a process."""
MIXED = 256
"""Studies in the shuffle buffer of a lane."""

Draw = tuple[int, int, int]
"""Epoch, place of a batch's first study in it, and number of its studies in this process."""


class StreamOrder(StudyOrder):
    """Batches of an epoch by their number; the lanes give their studies."""

    def __iter__(self) -> Iterator[list[Draw]]:  # type: ignore[override]
        taken, self.taken = self.taken, 0
        for start in range(taken, self._end, self.batch_size):
            self._drawn = self.epoch, start
            together = min(self.batch_size, self._end - start)
            yield [(self.epoch, start, together // self.processes)]


@dataclass(frozen=True)
class StreamedCohort:
    """Training studies of a prepared copy, streamed from its shards.

    Args:
        studies: The studies, read on demand.
        shards: Shards of the studies with their images.
        preprocessor: Fitted on them or on a sample of them.
        root: Raw folder, for volumes and clips, which shards do not hold.
        workers: Worker processes that read; 0 = none.
    """

    studies: StudyTable
    shards: Shards
    preprocessor: StudyPreprocessor
    root: Path
    workers: int = 0

    def __len__(self) -> int:
        return len(self.studies)

    def order(
        self,
        batch_size: int,
        seed: int | None,
        *,
        rank: int = 0,
        processes: int = 1,
        sample: None = None,
    ) -> StreamOrder:
        """Batches of an epoch for one process.

        Raises:
            InputError: If there are fewer shards than processes.
        """
        if len(self.shards.files) < processes:
            raise InputError(
                f"{self.shards.folder}: {len(self.shards.files)} shards for {processes} processes",
                f"prepare again with --shards {4 * processes} or more",
            )
        places = range(len(self))
        return StreamOrder(places, batch_size, seed=seed, rank=rank, processes=processes)

    def loader(self, order: StudyOrder) -> TrainingLoader:
        """Training batches, read by the worker processes."""
        lanes = _Lanes(self, order)
        return TrainingLoader(lanes, order, lambda batch: batch, lanes.workers)

    def batch(self, chosen: Sequence[int], *, training: bool = False) -> StudyBatch:
        """Batch of the studies at these places, read from the raw files."""
        some = [self.studies[place] for place in chosen]
        read = self.preprocessor.read(some, self.root, training=training)
        return read.batch(range(len(some)), training=training)

    def of_samples(
        self, samples: Sequence[Sample], generator: np.random.Generator | None
    ) -> StudyBatch:
        """Training batch of streamed studies."""
        pictures = self.preprocessor.images
        before = pictures.resized if pictures is not None else None
        if pictures is not None and self.shards.side:
            pictures.resized = _batch_images(self.shards, samples)
        try:
            read = self.preprocessor.read([one.study for one in samples], self.root, training=True)
        finally:
            if pictures is not None:
                pictures.resized = before
        return read.batch(range(len(samples)), training=True, generator=generator)


@dataclass(frozen=True)
class _BatchImages:
    """Resized images of the studies of one batch; see `ResizedImages`."""

    side: int
    view: str
    values: Tensor
    rows: dict[str, int]
    kept: ClassVar[bool] = False

    def places(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """Row of each image, -1 where it is not among them."""
        return np.array([self.rows.get(path, -1) for path in paths], dtype=np.int64)


def _batch_images(shards: Shards, samples: Sequence[Sample]) -> _BatchImages:
    paths = [path for sample in samples for path in sample.held]
    none = torch.zeros(0, shards.side, shards.side, dtype=torch.float16)
    held = [none, *(torch.from_numpy(sample.squares) for sample in samples)]
    return _BatchImages(
        shards.side, shards.view, torch.cat(held), {p: at for at, p in enumerate(paths)}
    )


class _Lanes:
    """Batches by number, from lanes that continue reading.

    A lane is reopened where a batch does not follow its last one: in a new epoch, or when a run is
    resumed.
    """

    def __init__(self, cohort: StreamedCohort, order: StudyOrder) -> None:
        self.cohort, self.order = cohort, order
        shards = len(cohort.shards.files) // order.processes
        self.lanes = max(lanes for lanes in (1, 2, LANES) if lanes <= max(shards, 1))
        fitting = [number for number in (1, 2, LANES) if self.lanes % number == 0]
        self.workers = max((n for n in fitting if n <= cohort.workers), default=0)
        self.included = np.zeros(cohort.shards.studies, dtype=np.bool_)
        self.included[cohort.studies.rows] = True
        self._open: dict[int, tuple[int, int, Iterator[Sample]]] = {}

    def __len__(self) -> int:
        return len(self.cohort)

    def __getitems__(self, drawn: list[Draw]) -> StudyBatch:
        """Batch of one draw; the loader requests whole batches."""
        (epoch, start, here) = drawn[0]
        generator = np.random.default_rng([self.order.seed or 0, epoch, start, self.order.rank])
        return self.cohort.of_samples(self.samples(epoch, start, here), generator)

    def samples(self, epoch: int, start: int, here: int) -> list[Sample]:
        """The first `here` studies of the batch that starts at `start` of an epoch."""
        number = start // self.order.batch_size
        lane, turn = number % self.lanes, number // self.lanes
        return list(islice(self._at(lane, epoch, turn), here))

    def _at(self, lane: int, epoch: int, turn: int) -> Iterator[Sample]:
        """Studies of a lane from its `turn`-th batch of an epoch."""
        was_epoch, was_turn, going = self._open.get(lane, (-1, -1, iter(())))
        if (was_epoch, was_turn) != (epoch, turn):
            going = self._lane(lane, epoch)
            passed = turn * (self.order.batch_size // self.order.processes)
            next(islice(going, passed, passed), None)
        self._open[lane] = epoch, turn + 1, going
        return going

    def _lane(self, lane: int, epoch: int) -> Iterator[Sample]:
        """Studies of one lane, repeated in a new order each round.

        Raises:
            InputError: If its shards hold none.
        """
        seed, files = self.order.seed or 0, self.cohort.shards.files
        dealt = np.random.default_rng([seed, epoch]).permutation(len(files))
        mine = dealt[self.order.rank :: self.order.processes][lane :: self.lanes]
        for turn in count():
            number = 0
            names = [files[place] for place in mine]
            key = (seed, epoch, self.order.rank, lane, turn)
            for sample in self.cohort.shards.stream(names, self.included, key, MIXED):
                number += 1
                yield sample
            if not number:
                raise InputError(
                    f"{self.cohort.shards.folder}: no training study in {', '.join(names)}",
                    "prepare again with fewer shards",
                )
