"""Opened data set: its studies, locked ids, splits and raw folder.

The place is a raw folder or a copy that `data prepare` wrote. Every command and every run opens a
data set here, so that all of them look for it, check it and divide it alike.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from encoders.study import SplitSubset, Study
from experiments.config.schema import DataSection, Duplicates, SplitSection
from experiments.datasets import DATASETS, LabelChoice
from experiments.datasets._boxes import Box, with_boxes
from experiments.datasets._layout import Reading, Rejected, log_warnings
from experiments.preparation.copy import RECORD, PreparedCopy
from experiments.preparation.inspection import locate, read, reasons
from experiments.splits.manifest import Manifest, locked_studies, make_manifest, official_subsets
from kg.errors import InputError, did_you_mean
from kg.options import parse_options

__all__ = ["OpenDataset", "build_dataset", "open_dataset"]

log = logging.getLogger(__name__)

DEFAULT: Mapping[str, Any] = {}


@dataclass(frozen=True)
class OpenDataset:
    """A data set with its folder and label set; studies are read on first use.

    Args:
        name: Name of the data set.
        dataset: The data set with its options.
        choice: Label set of its studies.
        folder: Its own raw folder, or a prepared copy.
        copy: The prepared copy that the folder is, or None.
        boxes: Whether images have the boxes marked in them.
        duplicates: Treatment of an image that several patients share.
    """

    name: str
    dataset: Any
    choice: LabelChoice
    folder: Path
    copy: PreparedCopy | None = None
    boxes: bool = False
    duplicates: Duplicates = "join"

    @classmethod
    def open(cls, name: str, dataset: Any, folder: Path, labels: str = "") -> OpenDataset:
        """Open the data set in this folder.

        Args:
            name: Name of the data set.
            dataset: The data set.
            folder: Its own raw folder, or a prepared copy.
            labels: Label set; empty = that of the copy, else the data set's first.

        Raises:
            InputError: If there is no such label set, or the copy is of another data set.
        """
        copy = PreparedCopy.find(folder)
        usual = copy.record["labels"] if copy is not None else dataset.label_choices[0].name
        choice = _choice(name, dataset, labels or str(usual))
        if copy is not None:
            copy.check(name, choice.name, dataset.options)
            log_warnings(folder, copy.record["warnings"])
        return cls(name, dataset, choice, folder, copy)

    @classmethod
    def find(
        cls, name: str, dataset: Any, root: Path, cache: Path, labels: str = ""
    ) -> OpenDataset:
        """Find a data set under a root and open it.

        Args:
            name: Name of the data set.
            dataset: The data set.
            root: Folder that holds data sets or prepared copies by name, or is one.
            cache: Folder of caches, where data sets that kgdx generates are written.
            labels: Label set; empty = that of the copy, else the data set's first.

        Raises:
            InputError: If it is missing or has no such labels, or a copy is of another data set.
        """
        copies = [place for place in (root / name, root) if (place / RECORD).is_file()]
        folder = copies[0] if copies else locate(name, dataset, root, cache)
        return cls.open(name, dataset, folder, labels)

    @property
    def root(self) -> Path:
        """Raw folder that image paths are relative to.

        Raises:
            InputError: If a copy's raw folder is no longer there.
        """
        return self.folder if self.copy is None else self.copy.raw

    @cached_property
    def studies(self) -> Sequence[Study]:
        """All studies, locked ones included; a `StudyTable` where a copy has shards.

        Raises:
            InputError: If a file is missing or wrong, or boxes are requested of streamed
                studies.
        """
        if self.copy is None:
            return self._marked(self._reading.studies)
        if self.copy.shards is None:
            return self._marked(list(self.copy.studies))
        if self.boxes:
            raise InputError(
                f"{self.folder}: its shards hold no boxes, which the system reads",
                f"name the raw folder {self.copy.raw} with --root, or prepare without --shards",
            )
        return self.copy.studies

    @property
    def rejected(self) -> Sequence[Rejected]:
        """Rows and images that did not become part of a study."""
        return self._reading.rejected if self.copy is None else self.copy.rejected

    def check_text(self) -> None:
        """Raise for a copy whose text was left out, as a run that reads text would not read it.

        Raises:
            InputError: If text was left out.
        """
        if self.copy is not None and self.copy.record["lacks_text"]:
            raise InputError(
                f"{self.folder}: reports and dialogues were left out of it, the run reads them",
                "prepare with --free-text deidentified or all, or name the raw folder with --root",
            )

    @cached_property
    def locked(self) -> frozenset[str]:
        """Ids of the locked test set."""
        return locked_studies(self.dataset, self.studies)

    @property
    def development(self) -> list[Study]:
        """Studies outside the locked test set."""
        return [study for study in self.studies if study.study not in self.locked]

    @cached_property
    def official(self) -> Mapping[str, SplitSubset]:
        """Subset of each study in the published split; empty where there is none."""
        return official_subsets(self.dataset, self.root)

    def manifest(self, split: SplitSection) -> Manifest:
        """Split of all studies, shared by every experiment on the data set."""
        known = self.copy.manifest(split) if self.copy is not None else None
        if known is not None:
            return known
        official = self.official if split.kind == "official" else None
        return make_manifest(
            self.studies, split, dataset=self.name, locked=self.locked, official=official
        )

    @property
    def fingerprint(self) -> str:
        """Fingerprint of a streamed copy; empty where studies are read directly."""
        if self.copy is None or self.copy.shards is None:
            return ""
        return str(self.copy.record["fingerprint"])

    def _marked(self, studies: Sequence[Study]) -> Sequence[Study]:
        """Studies, with the published boxes where `boxes` is set."""
        marks: Callable[[Path], Iterable[Box]] | None = getattr(self.dataset, "boxes", None)
        if not self.boxes or marks is None:
            return studies
        return with_boxes(studies, marks(self.root), self.root)

    @cached_property
    def _reading(self) -> Reading:
        reading = read(self.dataset, self.folder, self.choice.name, self.duplicates)
        for reason, count in reasons(reading.rejected).items():
            log.warning("%s: %d left out: %s", Path(self.folder.name), count, reason)
        return reading


def open_dataset(data: DataSection, root: Path, cache: Path, *, boxes: bool = False) -> OpenDataset:
    """Open the data set of a configuration.

    Args:
        data: Section of the configuration.
        root: Folder that holds data sets or prepared copies by name, or is one.
        cache: Folder of caches, where data sets that kgdx generates are written.
        boxes: Whether images have the boxes marked in them.

    Raises:
        InputError: If it is missing or has no such labels, or a copy is of another data set, or
            keeps patients apart who share an image.
    """
    dataset = build_dataset(data.name, data.options)
    opened = OpenDataset.find(data.name, dataset, root, cache, data.labels)
    if opened.copy is not None and data.duplicates != "list":
        opened.copy.check_together()
    return replace(opened, boxes=boxes, duplicates=data.duplicates)


def build_dataset(
    name: str, options: Mapping[str, Any] = DEFAULT, where: str = "data.options"
) -> Any:
    """A data set of the catalog with its options, independent of its files.

    Args:
        name: Name of the data set.
        options: Its options; missing ones have their defaults.
        where: Key of the options, for error messages.

    Raises:
        InputError: If there is no such data set or option.
    """
    part = DATASETS.load(name)
    return part(parse_options(part.Options, options, where=where))


def _choice(name: str, dataset: Any, labels: str) -> LabelChoice:
    choices: dict[str, LabelChoice] = {choice.name: choice for choice in dataset.label_choices}
    if labels not in choices:
        raise InputError(f"{name} is not labelled with {labels!r}", did_you_mean(labels, choices))
    return choices[labels]
