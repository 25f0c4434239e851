"""A prepared copy as a run reads it: its studies one by one, its images, its shards.

`--root` may name a prepared copy instead of a data set: a run then takes the studies from it
without reading the raw tables, leaves out the images that could not be read, and takes decoded
images from the copy where it holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from encoders.study import Study, study_of
from experiments.config.schema import SplitSection
from experiments.datasets._layout import Rejected
from experiments.preparation.index import REJECTED, STUDIES_FILE, read_rejected
from experiments.preparation.shards import FOLDER, Shards
from experiments.preparation.store import ABOUT, PictureStore
from experiments.splits.manifest import Manifest, manifest_name
from kg.errors import InputError
from kg.files.json_text import json_in, json_of

__all__ = ["RECORD", "PreparedCopy", "StudyTable"]

RECORD = "prepared.json"


class StudyTable(Sequence[Study]):
    """Studies of a prepared copy, made one by one as they are asked for, never all held.

    Args:
        path: `studies.parquet`.
        chosen: Rows of it these studies are; None = all.
    """

    def __init__(self, path: Path, chosen: NDArray[np.int64] | None = None) -> None:
        from pyarrow import parquet

        self.path = path
        self._file = parquet.ParquetFile(path, memory_map=True)
        count = self._file.metadata.num_rows
        self.rows = np.arange(count) if chosen is None else chosen
        groups = range(self._file.num_row_groups)
        sizes = [self._file.metadata.row_group(group).num_rows for group in groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._held: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Study: ...

    @overload
    def __getitem__(self, place: slice) -> StudyTable: ...

    def __getitem__(self, place: int | slice) -> Study | StudyTable:
        if isinstance(place, slice):
            return StudyTable(self.path, self.rows[place])
        return study_of(json_of(self._record(int(self.rows[place]))))

    def __iter__(self) -> Iterator[Study]:
        return (self[place] for place in range(len(self)))

    def where(self, keep: Callable[[Study], bool]) -> StudyTable:
        """Those studies of which `keep` is true; looks at each once."""
        kept = [row for row, study in zip(self.rows, self, strict=True) if keep(study)]
        return StudyTable(self.path, np.array(kept, dtype=np.int64))

    def _record(self, row: int) -> str:
        """A row's record; one group of rows is held at a time."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if self._held[0] != group:
            self._held = group, self._file.read_row_group(group, columns=["record"])["record"]
        return str(self._held[1][row - int(self._starts[group])].as_py())


@dataclass(frozen=True)
class PreparedCopy:
    """A folder that `data prepare` wrote.

    Args:
        folder: The folder.
        record: What it says of itself.
    """

    folder: Path
    record: Mapping[str, Any]

    @classmethod
    def find(cls, folder: Path) -> PreparedCopy | None:
        """The copy a folder is, or None where it is none.

        Raises:
            InputError: If its record cannot be read.
        """
        path = folder / RECORD
        if not path.is_file():
            return None
        try:
            record = json_in(path)
            kept = {key: record[key] for key in (*KEPT, "root", "fingerprint")}
            return cls(folder, {**kept, "warnings": record.get("warnings", ())})
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable: {error}", "prepare again") from None

    @property
    def raw(self) -> Path:
        """The raw folder it was made of, which holds what the copy does not.

        Raises:
            InputError: If it is no longer there.
        """
        path = Path(self.record["root"])
        if not path.is_dir():
            raise InputError(
                f"{self.folder}: the raw folder {path} it was made of is not there",
                "put it back, or prepare again",
            )
        return path

    def check(self, name: str, labels: str, options: Mapping[str, Any]) -> None:
        """Refuse a run that wants another data set, other labels or other options.

        Raises:
            InputError: With what the copy is of.
        """
        wanted = {"dataset": name, "labels": labels, "options": dict(options)}
        for key in KEPT:
            if wanted[key] != self.record[key]:
                raise InputError(
                    f"{self.folder}: is a copy with {key} {self.record[key]!r}, "
                    f"the run wants {wanted[key]!r}",
                    "prepare another copy, or name the raw folder with --root",
                )

    @cached_property
    def studies(self) -> StudyTable:
        """Its studies, without images that cannot be read."""
        return StudyTable(self.folder / STUDIES_FILE)

    def manifest(self, split: SplitSection) -> Manifest | None:
        """The split of its studies that was written for such a request, or None.

        Raises:
            InputError: If it was changed by hand.
        """
        path = self.folder / "splits" / f"{manifest_name(self.record['dataset'], split)}.json"
        usual = split.validation == SplitSection().validation
        return Manifest.load(path) if usual and path.is_file() else None

    def manifests(self) -> list[Manifest]:
        """Every split that was written.

        Raises:
            InputError: If one was changed by hand.
        """
        return [Manifest.load(path) for path in sorted((self.folder / "splits").glob("*.json"))]

    @cached_property
    def rejected(self) -> tuple[Rejected, ...]:
        """What was left out of it.

        Raises:
            InputError: If the table is not there or not what was written.
        """
        return read_rejected(self.folder / REJECTED)

    @cached_property
    def store(self) -> PictureStore | None:
        """Its decoded images, where it holds any."""
        return PictureStore.open(self.folder) if (self.folder / ABOUT).is_file() else None

    @cached_property
    def shards(self) -> Shards | None:
        """Its shards, where it holds any."""
        return Shards.open(self.folder) if (self.folder / FOLDER).is_dir() else None


KEPT = ("dataset", "labels", "options")
