"""Base of the adapters of published data sets: label choice, needed files, rejected rows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import kg.options
from encoders.study import Modality, SplitSubset, Study
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box, Region
from kg.errors import InputError, did_you_mean
from kg.model.concepts import Concept
from kg.model.graph import LabelSet

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row or image left out of the studies, with the reason.

    Args:
        file: Its file, relative to the root.
        row: Row in that file as a spreadsheet counts (the header is row 1), 0 for an image.
        reason: The reason.
        item: The item left out (name of an image, a study).
    """

    file: str
    row: int
    reason: str
    item: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Studies read under a root, and rows left out.

    Args:
        studies: The studies.
        rejected: Rows and images left out.
        warnings: Possible faults of the studies, one sentence each.
    """

    studies: tuple[Study, ...]
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """What a check of the files has to say of one of them.

    Args:
        where: File, column or rows.
        state: `found` = as it should be; `warning` = usable, but; `wrong` = not usable.
        what: What was found.
        mend: What to do.
    """

    where: str
    state: Literal["found", "warning", "wrong"]
    what: str
    mend: str = ""


class Layout:
    """Base of the adapters: a subclass declares its files and implements `read`.

    `concepts` are those of its labels that the clinical graph lacks; a run's graph has them too.

    `locked_share` is the share of groups in the locked test set, `locked_as` the prefix of a group
    key before hashing, and `locked_with` the data set whose committed list of locked groups
    holds for this one too.
    """

    class Options(kg.options.Options):
        """This data set has no options."""

    licence: ClassVar[str]
    citation: ClassVar[str]
    homepage: ClassVar[str]
    graph_names: ClassVar[tuple[str, ...]] = ()
    modalities: ClassVar[tuple[Modality, ...]]
    label_choices: tuple[LabelChoice, ...]
    files: ClassVar[tuple[NeededFile, ...]]
    expected: ClassVar[dict[str, int]] = {}
    concepts: ClassVar[tuple[Concept, ...]] = ()
    locked_share: ClassVar[float] = 0.0
    locked_as: ClassVar[str] = ""
    locked_with: ClassVar[str] = ""

    def __init__(self, options: kg.options.Options | None = None) -> None:
        self.options = options if options is not None else self.Options()

    def choice(self, labels: str) -> LabelChoice:
        """The label choice called `labels`.

        Raises:
            InputError: If the data set is not labelled that way.
        """
        for choice in self.label_choices:
            if choice.name == labels:
                return choice
        names = [choice.name for choice in self.label_choices]
        raise InputError(
            f"{type(self).__name__} has no label choice {labels!r}", did_you_mean(labels, names)
        )

    def studies(self, root: Path, *, labels: str) -> list[Study]:
        """Every study under `root`, in a fixed order; rejected rows are logged with counts.

        Raises:
            InputError: If a needed file is missing or wrong, or there is no such label choice.
        """
        reading = self.read(root, labels=labels)
        for reason, count in Counter(item.reason for item in reading.rejected).items():
            logger.warning("%s: %d left out: %s", Path(root.name), count, reason)
        log_warnings(root, reading.warnings)
        return list(reading.studies)

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, with rejected rows and images."""
        raise NotImplementedError

    def remarks(self, root: Path) -> Iterable[Remark]:
        """Every mistake in a user's own files at once; a published data set has none."""
        return ()

    def tiny(self, folder: Path) -> None:
        """Write a small made-up copy of the layout, for tests and trials."""
        raise NotImplementedError

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """Label set of a choice that the graph lacks; None if the graph has it.

        Raises:
            InputError: If it has to be read from a file that is wrong.
        """
        return None

    def unmapped(self) -> tuple[str, ...]:
        """Published labels without a concept in the graph; they state nothing."""
        return ()

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study in the published split; empty if the publication has none.

        Raises:
            InputError: If a file of the split is missing or wrong.
        """
        return {}

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """Boxes of findings on the images; empty if there are none.

        Raises:
            InputError: If a file of the boxes is wrong.
        """
        return ()

    def lungs(self, root: Path) -> Mapping[str, tuple[Region, ...]]:
        """Regions of the lungs, by image path; empty if there are none.

        Raises:
            InputError: If a file of the marks is wrong.
        """
        return {}

    def spares(self, file: NeededFile) -> bool:
        """True if the data set can be read without a file."""
        return file.optional

    def instead_of(self, file: NeededFile) -> str:
        """Remedy for a missing file; empty = none."""
        return ""

    def need(self, root: Path) -> None:
        """Refuse a root that lacks a required file.

        Raises:
            InputError: Naming the first missing file and its provider.
        """
        if not root.is_dir():
            raise InputError(f"{root}: there is no such folder", "name the data set's folder")
        for file in self.files:
            if not self.spares(file) and not present(root, file):
                raise InputError(f"{root / file.path}: not found ({file.what})", file.giver)


def log_warnings(root: Path, warnings: Iterable[str]) -> None:
    """Log the warnings about studies under a root."""
    for warning in warnings:
        logger.warning("%s: %s", Path(root.name), warning)  # a path: log files have a pseudonym


def first(root: Path, places: str, giver: str) -> Path:
    """The first of the alternatives of a needed file that is under `root`.

    Args:
        root: The data set's root.
        places: Alternatives separated by `|`, as in `NeededFile.path`.
        giver: Its provider, for the hint.

    Raises:
        InputError: If none is.
    """
    found = present(root, NeededFile(places, "", giver))
    if not found:
        raise InputError(f"{root / places.split('|')[0]}: not found", giver)
    return found[0]


def present(root: Path, file: NeededFile) -> list[Path]:
    """The alternatives of a needed file that exist under `root`, each once."""
    found = (there for path in file.path.split("|") for there in sorted(root.glob(path)))
    return list(dict.fromkeys(found))
