"""Where the studies of a run come from: a raw folder, or a prepared copy of one.

Of a copy with shards the training studies are streamed; of one with decoded pictures only, pictures
are taken from it as they are wanted. Validation and test are read whole either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from encoders.study import SplitPart, Study
from experiments.config.schema import DataSection, ImageSection, SplitSection
from experiments.datasets._boxes import Box, with_boxes
from experiments.loading.cohort import Cohort
from experiments.loading.preprocessor import StudyReader
from experiments.loading.stream import StreamedCohort
from experiments.preparation.copy import PreparedCopy, StudyTable
from experiments.splits.manifest import Manifest, locked_studies, make_manifest, official_parts
from kg.errors import InputError

__all__ = ["PARTS", "Cohorts", "StudySource", "those"]

FITTED = 20_000
"""Most streamed studies that vocabulary, prevalence and the like are fitted on, evenly spaced."""


PARTS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


class Cohorts(TypedDict):
    """Studies of each part; training ones hold what only training may see."""

    train: Cohort | StreamedCohort
    validation: Cohort
    test: Cohort


@dataclass(frozen=True)
class StudySource:
    """All studies of a data set, as they are read here.

    Args:
        root: The raw folder.
        everyone: The studies; a `StudyTable` where they are streamed.
        copy: The prepared copy they are from, or None.
    """

    root: Path
    everyone: Sequence[Study]
    copy: PreparedCopy | None = None

    @classmethod
    def open(
        cls, dataset: Any, data: DataSection, root: Path, *, boxes: bool = False
    ) -> StudySource:
        """The studies under a root, which may be a prepared copy.

        Args:
            dataset: The data set.
            data: What a configuration says of it.
            root: Its raw folder, or a prepared copy.
            boxes: Whether pictures come with what was marked in them.

        Raises:
            InputError: If a file is missing or wrong, the copy is of something else, or boxes are
                wanted of studies that are streamed.
        """
        copy = PreparedCopy.find(root)
        if copy is None:
            studies = dataset.studies(root, labels=data.labels)
            return cls(root, _marked(dataset, studies, root) if boxes else studies)
        copy.check(data.name, data.labels, dataset.options.model_dump(mode="json"))
        if copy.shards is None:
            studies = list(copy.studies)
            return cls(copy.raw, _marked(dataset, studies, copy.raw) if boxes else studies, copy)
        if boxes:
            raise InputError(
                f"{root}: its shards hold no boxes, which the system reads",
                f"name the raw folder {copy.raw} with --root, or prepare without --shards",
            )
        return cls(copy.raw, copy.studies, copy)

    def manifest(
        self, dataset: Any, name: str, split: SplitSection, locked: frozenset[str]
    ) -> Manifest:
        """The split of all studies, so that every experiment on a data set shares it."""
        known = self.copy.manifest(split) if self.copy is not None else None
        if known is not None:
            return known
        official = official_parts(dataset, self.root) if split.kind == "official" else None
        return make_manifest(self.everyone, split, dataset=name, locked=locked, official=official)

    @property
    def fingerprint(self) -> str:
        """What a streamed copy was made of; empty where the studies themselves are at hand."""
        streamed = isinstance(self.everyone, StudyTable) and self.copy is not None
        return str(self.copy.record["fingerprint"]) if streamed and self.copy else ""

    def hashes(self, image: ImageSection) -> Mapping[str, str]:
        """Hashes of the pictures that a run takes from the copy and not from their files."""
        if self.copy is None or self.copy.store is None or image.frozen:
            return {}
        return self.copy.store.hashes

    def locked(self, dataset: Any) -> frozenset[str]:
        """Ids of the studies that development never sees."""
        return locked_studies(dataset, self.everyone)

    def fit(self, reader: StudyReader, training: Sequence[Study]) -> None:
        """Fit a reader on the training studies, of streamed ones on `FITTED` at most."""
        store = self.copy.store if self.copy is not None else None
        if store is not None and reader.pictures is not None:
            if reader.pictures.trainable_encoder is not None:
                store.check(
                    reader.pictures.encoder.preprocessing.size, reader.pictures.section.recipe
                )
            reader.pictures.squares = store
        if isinstance(training, StudyTable) and len(training) > FITTED:
            places = np.linspace(0, len(training) - 1, FITTED).astype(int).tolist()
            training = [training[place] for place in places]
        reader.fit(list(training), self.root)

    def cohorts(self, reader: StudyReader, parts: Mapping[SplitPart, Sequence[Study]]) -> Cohorts:
        """The studies of each part, read; streamed ones of training are read as they come by."""
        train, shards = parts["train"], self.copy.shards if self.copy is not None else None
        return Cohorts(
            train=(
                StreamedCohort(train, shards, reader, self.root, workers=os.cpu_count() or 1)
                if shards is not None and isinstance(train, StudyTable)
                else reader.read(train, self.root, training=True)
            ),
            validation=reader.read(list(parts["validation"]), self.root),
            test=reader.read(list(parts["test"]), self.root),
        )


def _marked(dataset: Any, studies: Sequence[Study], root: Path) -> list[Study]:
    """The studies with what their data set's publication marked in the pictures."""
    marks: Callable[[Path], Iterable[Box]] | None = getattr(dataset, "boxes", None)
    return with_boxes(studies, marks(root) if marks is not None else (), root)


def those(studies: Sequence[Study], keep: Callable[[Study], bool]) -> Sequence[Study]:
    """The studies of which `keep` is true; of a table they stay a table."""
    if isinstance(studies, StudyTable):
        return studies.where(keep)
    return [study for study in studies if keep(study)]
