"""Training times of systems as multiples of one system's, and what they start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from experiments.plans.jobs import Job
from experiments.records.folder import list_runs
from experiments.records.record import RunRecord

__all__ = ["Clock"]

CPU, WALL = "train_cpu", "train"


@dataclass(frozen=True)
class Clock:
    """Training times.

    Args:
        records: Finished runs by id.
        unit: Median training time of the runs of the time reference; None = none is finished.
        key: Measured time: that of the processor where all runs recorded it, else of the wall.
    """

    records: Mapping[str, RunRecord]
    unit: float | None
    key: str

    @staticmethod
    def of(rows: Mapping[str, Sequence[Job]], reference: str, runs: Path) -> Clock:
        """Clock whose unit is the training time of a row.

        Args:
            rows: Runs of each row.
            reference: The row.
            runs: Folder of runs.
        """
        every = (folder.load_record() for folder in list_runs(runs) if folder.record.is_file())
        records = {record.run: record for record in every if record.status == "finished"}
        digests = {label: {job.digest for job in jobs} for label, jobs in rows.items()}
        taken = [
            one for one in records.values() if one.config_hash in set().union(*digests.values())
        ]
        key = CPU if all(CPU in record.times for record in taken) else WALL
        own = [one.times[key] for one in taken if one.config_hash in digests[reference]]
        return Clock(records, median(own) if own else None, key)

    def ratio(self, records: Sequence[RunRecord], *, with_start: bool = False) -> float | None:
        """Median training time of runs as a multiple of the unit.

        Args:
            records: Finished runs of one row.
            with_start: Whether to add the runs they start from; None where they start from none.
        """
        if not self.unit or (with_start and not any(one.started_from for one in records)):
            return None
        return median(self._seconds(one, with_start) for one in records) / self.unit

    def _seconds(self, record: RunRecord, with_start: bool) -> float:
        """Training time of a run, of which a run it starts from may be unknown."""
        before = [self.records.get(start.run) for start in record.started_from if with_start]
        return record.times.get(self.key, 0.0) + sum(
            self._seconds(parent, with_start) for parent in before if parent is not None
        )
