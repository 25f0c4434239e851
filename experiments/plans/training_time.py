"""Training time of systems as a multiple of one system's, with and without what they start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments.records.folder import list_runs
from experiments.records.record import RunRecord

__all__ = ["Ratio", "TrainingTime"]

CPU, WALL = "train_cpu", "train"
"""Times of a record: of the processor, which does not grow where the machine is shared; and of the
clock, for runs that did not record it."""


class Ratio(NamedTuple):
    """Training time of a system as a multiple of the reference's.

    Args:
        own: Of its own runs.
        with_start: With the runs they start from; None where they start from none.
        by_processor: Whether it is that of the processor; else that of the clock.
    """

    own: float
    with_start: float | None
    by_processor: bool


@dataclass(frozen=True)
class TrainingTime:
    """Training times of finished runs.

    Args:
        records: All finished runs by id, to find those that a run starts from.
        reference: Finished runs of the time reference.
    """

    records: Mapping[str, RunRecord]
    reference: Sequence[RunRecord]

    @staticmethod
    def of(runs: Path, reference: Iterable[str]) -> TrainingTime:
        """Training times of the runs of a folder.

        Args:
            runs: Folder of runs.
            reference: Hashes of the configurations of the time reference.
        """
        every = (folder.load_record() for folder in list_runs(runs) if folder.record.is_file())
        records = {record.run: record for record in every if record.status == "finished"}
        wanted = set(reference)
        return TrainingTime(records, [r for r in records.values() if r.config_hash in wanted])

    def ratio(self, systems: Sequence[Sequence[RunRecord]]) -> Ratio | None:
        """Median training time of a system; None where the reference has no run.

        Args:
            systems: What predicts a study, once for each fold and seed: a run, or all of an
                ensemble, whose times are added.
        """
        alone = [[record] for record in self.reference]
        for key in (CPU, WALL):
            unit = self._median(alone, key, with_start=False)
            own = self._median(systems, key, with_start=False)
            start = self._median(systems, key, with_start=True)
            if unit and own is not None and start is not None:
                started = any(record.started_from for each in systems for record in each)
                return Ratio(own / unit, start / unit if started else None, key == CPU)
        return None

    def _median(
        self, systems: Iterable[Sequence[RunRecord]], key: str, *, with_start: bool
    ) -> float | None:
        """Median time of those whose runs recorded it; None where none did."""
        each = (self._seconds(records, key, with_start=with_start) for records in systems)
        known = [seconds for seconds in each if seconds is not None]
        return median(known) if known else None

    def _seconds(self, records: Sequence[RunRecord], key: str, *, with_start: bool) -> float | None:
        """Training time of runs; None where it, or a run that one starts from, is not known.

        What several start from was trained once.
        """
        every = {record.run: record.times.get(key) for record in records}
        waiting = [start.run for record in records for start in record.started_from]
        while with_start and waiting:
            run = waiting.pop()
            if run not in every:
                parent = self.records.get(run)
                every[run] = parent.times.get(key) if parent else None
                waiting += [start.run for start in parent.started_from] if parent else []
        times = every.values()
        return None if None in times else sum(filter(None, times))
