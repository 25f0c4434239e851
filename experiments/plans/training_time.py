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

    def ratio(self, records: Sequence[RunRecord]) -> Ratio | None:
        """Median training time of the runs of a system; None where the reference has no run."""
        for key in (CPU, WALL):
            unit = self._median(self.reference, key, with_start=False)
            own = self._median(records, key, with_start=False)
            start = self._median(records, key, with_start=True)
            if unit and own is not None and start is not None:
                started = any(record.started_from for record in records)
                return Ratio(own / unit, start / unit if started else None, key == CPU)
        return None

    def _median(self, records: Iterable[RunRecord], key: str, *, with_start: bool) -> float | None:
        """Median time of the runs that recorded it; None where none did."""
        each = (self._seconds(record, key, with_start=with_start) for record in records)
        known = [seconds for seconds in each if seconds is not None]
        return median(known) if known else None

    def _seconds(self, record: RunRecord, key: str, *, with_start: bool) -> float | None:
        """Training time of a run; None where it, or a run it starts from, is not known."""
        times = [record.times.get(key)]
        for start in record.started_from if with_start else ():
            parent = self.records.get(start.run)
            known = None if parent is None else self._seconds(parent, key, with_start=True)
            times.append(known)
        return None if None in times else sum(filter(None, times))
