"""Prepared copy of a data set, as read by a run: studies, decoded images and shards.

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

from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets._layout import Rejected
from experiments.preparation.index import (
    INDEX,
    REJECTED,
    STUDIES_FILE,
    read_columns,
    read_rejected,
)
from experiments.preparation.shards import FOLDER, Shards
from experiments.preparation.store import ABOUT, ImageStore
from experiments.preparation.stored import stored_study
from experiments.privacy.pseudonyms import unsealed
from experiments.splits.manifest import Manifest, manifest_name
from kg.errors import InputError
from kg.files.json_text import json_in, json_of
from kg.options import Options, parse_options

__all__ = ["RECORD", "PreparedCopy", "StudyTable"]

RECORD = "prepared.json"


class StudyTable(Sequence[Study]):
    """Studies of a prepared copy, read one by one on access.

    Args:
        path: `studies.parquet`.
        chosen: Rows of these studies; None = all.
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
        return stored_study(json_of(self._record(int(self.rows[place]))))

    def __iter__(self) -> Iterator[Study]:
        return (self[place] for place in range(len(self)))

    def where(self, keep: Callable[[Study], bool]) -> StudyTable:
        """Studies for which `keep` is true; each is read once."""
        kept = [row for row, study in zip(self.rows, self, strict=True) if keep(study)]
        return StudyTable(self.path, np.array(kept, dtype=np.int64))

    def _record(self, row: int) -> str:
        """Record of a row; one row group is in memory at a time."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if self._held[0] != group:
            self._held = group, self._file.read_row_group(group, columns=["record"])["record"]
        return str(self._held[1][row - int(self._starts[group])].as_py())


@dataclass(frozen=True)
class PreparedCopy:
    """Folder written by `data prepare`.

    Args:
        folder: The folder.
        record: Content of `prepared.json`.
    """

    folder: Path
    record: Mapping[str, Any]

    @classmethod
    def find(cls, folder: Path) -> PreparedCopy | None:
        """The prepared copy in a folder, or None where there is none.

        Raises:
            InputError: If its record cannot be read.
        """
        path = folder / RECORD
        if not path.is_file():
            return None
        try:
            record = json_in(path)
            kept = {key: record[key] for key in (*KEPT, "root", "fingerprint")}
            later = {"warnings": (), "lacks_text": False}
            return cls(folder, {**kept, **{key: record.get(key, later[key]) for key in later}})
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable: {error}", "prepare again") from None

    @property
    def raw(self) -> Path:
        """Raw folder that the copy was made from, which holds the original files.

        Raises:
            InputError: If it is no longer there.
        """
        path = Path(unsealed(self.record["root"]))
        if not path.is_dir():
            raise InputError(
                f"{self.folder}: the raw folder {path} it was made from is missing",
                "put it back, or prepare again",
            )
        return path

    def check(self, name: str, labels: str, options: Options) -> None:
        """Raise for a run of another data set, other labels or other options.

        Raises:
            InputError: If they differ from those of the copy.
        """
        held = {key: self.record[key] for key in KEPT}
        if held["dataset"] == name:  # an option that the copy does not know has its default
            known = parse_options(type(options), held["options"], where=str(self.folder / RECORD))
            held["options"] = known.model_dump(mode="json")
        plain = options.model_dump(mode="json")
        requested = {"dataset": name, "labels": labels, "options": plain}
        for key in KEPT:
            if requested[key] != held[key]:
                raise InputError(
                    f"{self.folder}: is a copy with {key} {held[key]!r}, "
                    f"the run needs {requested[key]!r}",
                    "prepare another copy, or name the raw folder with --root",
                )

    def check_together(self) -> None:
        """Raise where an image is in several groups, as in a copy that lists duplicates only.

        Raises:
            InputError: With the first such image and its studies.
        """
        groups: dict[str, tuple[str, str]] = {}
        for digest, study, group in read_columns(self.folder / INDEX, "sha256", "study", "group"):
            other, owner = groups.setdefault(digest, (study, group))
            if owner != group:
                raise InputError(
                    f"{self.folder}: studies {other} and {study} of two patients hold the same "
                    "image, and a split may separate them",
                    "prepare again with --duplicates join, or set data.duplicates=list",
                )

    @cached_property
    def studies(self) -> StudyTable:
        """Studies, without unreadable images."""
        return StudyTable(self.folder / STUDIES_FILE)

    def manifest(self, split: SplitSection) -> Manifest | None:
        """Written split of its studies for a split section, or None.

        Raises:
            InputError: If it was edited.
        """
        path = self.folder / "splits" / f"{manifest_name(self.record['dataset'], split)}.json"
        usual = split.validation == SplitSection().validation
        return Manifest.load(path) if usual and path.is_file() else None

    def manifests(self) -> list[Manifest]:
        """All written splits.

        Raises:
            InputError: If one was edited.
        """
        return [Manifest.load(path) for path in sorted((self.folder / "splits").glob("*.json"))]

    @cached_property
    def rejected(self) -> tuple[Rejected, ...]:
        """Rows and images that were left out.

        Raises:
            InputError: If the table is missing or was edited.
        """
        return read_rejected(self.folder / REJECTED)

    @cached_property
    def store(self) -> ImageStore | None:
        """Decoded images; None where it has none."""
        return ImageStore.open(self.folder) if (self.folder / ABOUT).is_file() else None

    @cached_property
    def shards(self) -> Shards | None:
        """Shards; None where it has none."""
        return Shards.open(self.folder) if (self.folder / FOLDER).is_dir() else None


KEPT = ("dataset", "labels", "options")
