"""Training studies streamed from shards: read in turn, mixed, never all in memory.

The shards of an epoch are put in a random order and dealt out to the processes that train together
and, within each, to a few lanes; each lane reads its shards front to back, over and over, and mixes
what is near. Batches are taken from the lanes in turn, so the number of worker processes that read
them changes nothing, and a resumed run goes on with the batch it would have had. Every process
draws equally many studies; in one epoch a study may then come twice and another not at all, where
the shards of two lanes hold unequal numbers of them.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from encoders.batch import StudyBatch
from experiments.loading.cohort import StudyOrder
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.preparation.copy import StudyTable
from experiments.preparation.shards import Sample, Shards
from experiments.workers import end_with_parent
from kg.errors import InputError

__all__ = ["StreamedCohort", "StreamOrder"]

LANES = 4
"""Most lanes of a process; as many worker processes can read."""
MIXED = 256
"""Studies a lane holds to draw from."""

Draw = tuple[int, int, int]
"""An epoch, the place in it of a batch's first study, and the studies of the batch here."""


class StreamOrder(StudyOrder):
    """The batches of an epoch by their number; which studies they hold, the lanes decide."""

    def __iter__(self) -> Iterator[list[Draw]]:  # type: ignore[override]
        taken, self.taken = self.taken, 0
        for start in range(taken, self._end, self.batch_size):
            self._drawn = self.epoch, start
            together = min(self.batch_size, self._end - start)
            yield [(self.epoch, start, together // self.processes)]


@dataclass(frozen=True)
class StreamedCohort:
    """The training studies of a prepared copy, to be streamed from its shards.

    Args:
        studies: The studies, made as they are asked for.
        shards: Where they stand with their pictures.
        preprocessor: Fitted on them, or on as many of them as it needs.
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
        """The batches of an epoch for one of the processes that share them.

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

    def loader(self, order: StudyOrder) -> DataLoader[Any]:
        """Training batches, read by the worker processes."""
        source: Any = _Lanes(self, order)
        return DataLoader(
            source,
            batch_sampler=order,
            collate_fn=lambda batch: batch,
            num_workers=source.workers,
            worker_init_fn=_follow,
            generator=torch.Generator(),
        )

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
        before = pictures.squares if pictures is not None else None
        if pictures is not None and self.shards.side:
            pictures.squares = _passing(self.shards, samples)
        try:
            read = self.preprocessor.read([one.study for one in samples], self.root, training=True)
        finally:
            if pictures is not None:
                pictures.squares = before
        return read.batch(range(len(samples)), training=True, generator=generator)


@dataclass(frozen=True)
class _Passing:
    """Squares of the studies of one batch, in memory; see `Squares`."""

    side: int
    view: str
    values: Tensor
    rows: dict[str, int]
    kept: ClassVar[bool] = False

    def places(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """Row of each picture, -1 where it is not among them."""
        return np.array([self.rows.get(path, -1) for path in paths], dtype=np.int64)


def _passing(shards: Shards, samples: Sequence[Sample]) -> _Passing:
    paths = [path for sample in samples for path in sample.held]
    none = torch.zeros(0, shards.side, shards.side, dtype=torch.float16)
    held = [none, *(torch.from_numpy(sample.squares) for sample in samples)]
    return _Passing(
        shards.side, shards.view, torch.cat(held), {p: at for at, p in enumerate(paths)}
    )


def _follow(worker: int) -> None:
    """End with the process that trains, and when it says so; Ctrl-C is its own to answer."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()


class _Lanes:
    """Gives batches by number, from lanes that read on from where they are.

    A lane is opened anew where a batch does not follow the one it gave last: in a new epoch, or
    when a run is resumed.
    """

    def __init__(self, cohort: StreamedCohort, order: StudyOrder) -> None:
        self.cohort, self.order = cohort, order
        shards = len(cohort.shards.files) // order.processes
        self.lanes = max(lanes for lanes in (1, 2, LANES) if lanes <= max(shards, 1))
        fitting = [number for number in (1, 2, LANES) if self.lanes % number == 0]
        wanted = cohort.workers
        self.workers = max((n for n in fitting if n <= wanted), default=0)
        self.wanted = np.zeros(cohort.shards.studies, dtype=np.bool_)
        self.wanted[cohort.studies.rows] = True
        self._open: dict[int, tuple[int, int, Iterator[Sample]]] = {}

    def __len__(self) -> int:
        return len(self.cohort)

    def __getitems__(self, drawn: list[Draw]) -> StudyBatch:
        """The batch of one draw; the loader asks for whole batches."""
        (epoch, start, here) = drawn[0]
        generator = np.random.default_rng([self.order.seed or 0, epoch, start, self.order.rank])
        return self.cohort.of_samples(self.samples(epoch, start, here), generator)

    def samples(self, epoch: int, start: int, here: int) -> list[Sample]:
        """The studies of the batch whose first is at `start` of an epoch, `here` of them."""
        number = start // self.order.batch_size
        lane, turn = number % self.lanes, number // self.lanes
        return list(islice(self._at(lane, epoch, turn), here))

    def _at(self, lane: int, epoch: int, turn: int) -> Iterator[Sample]:
        """A lane's studies from its `turn`-th batch of an epoch on."""
        was_epoch, was_turn, going = self._open.get(lane, (-1, -1, iter(())))
        if (was_epoch, was_turn) != (epoch, turn):
            going = self._lane(lane, epoch)
            passed = turn * (self.order.batch_size // self.order.processes)
            next(islice(going, passed, passed), None)
        self._open[lane] = epoch, turn + 1, going
        return going

    def _lane(self, lane: int, epoch: int) -> Iterator[Sample]:
        """Studies of one lane, over and over; each round in another order.

        Raises:
            InputError: If its shards hold none.
        """
        seed, files = self.order.seed or 0, self.cohort.shards.files
        dealt = np.random.default_rng([seed, epoch]).permutation(len(files))
        mine = dealt[self.order.rank :: self.order.processes][lane :: self.lanes]
        for turn in count():
            found = 0
            names = [files[place] for place in mine]
            key = (seed, epoch, self.order.rank, lane, turn)
            for sample in self.cohort.shards.stream(names, self.wanted, key, MIXED):
                found += 1
                yield sample
            if not found:
                raise InputError(
                    f"{self.cohort.shards.folder}: no training study in {', '.join(names)}",
                    "prepare again with fewer shards",
                )
