"""What a copy of a data set holds, counted, and single studies of it.

The copy may be a raw folder or one that `data prepare` wrote: of that, its studies, splits and what
was left out are told as they were written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets._layout import Rejected, log_warnings
from experiments.preparation.copy import PreparedCopy
from experiments.preparation.inspection import read, reasons
from experiments.splits.manifest import Manifest, locked_studies, make_manifest, official_parts
from kg.errors import InputError, did_you_mean

__all__ = ["FindingCount", "Held", "Inventory"]


@dataclass(frozen=True)
class FindingCount:
    """How often a finding is stated in the development part."""

    finding: str
    present: int
    absent: int
    uncertain: int
    not_stated: int


@dataclass(frozen=True)
class Inventory:
    """Counts of a data set; those of findings are of the development part alone.

    Args:
        dataset: Its name.
        labels: The label choice counted.
        studies: Studies, locked ones included.
        groups: Groups (patients, or source documents).
        pictures: Pictures of these studies.
        parts: Studies in `development` and `locked`.
        splits: Studies in each part of the splits a run can ask for by kind.
        findings: Counts of each finding stated anywhere, most frequent first.
        views: Pictures by view.
        modalities: Studies by modality.
        passages: Studies by passage and language (`findings en`).
        left_out: Rows and pictures left out, by reason.
        published: Counts the publication states.
    """

    dataset: str
    labels: str
    studies: int
    groups: int
    pictures: int
    parts: dict[str, int]
    splits: dict[str, dict[str, int]]
    findings: tuple[FindingCount, ...]
    views: dict[str, int]
    modalities: dict[str, int]
    passages: dict[str, int]
    left_out: dict[str, int]
    published: dict[str, int]


@dataclass(frozen=True)
class Held:
    """What is under a root: studies, what was left out, and where the pictures are.

    Args:
        name: Name of the data set.
        dataset: The data set.
        root: Its own folder, or a prepared copy.
        labels: Label choice the studies are labelled by.
        studies: The studies.
        rejected: Rows and pictures left out.
        copy: The prepared copy they are of, or None.
    """

    name: str
    dataset: Any
    root: Path
    labels: str
    studies: Sequence[Study]
    rejected: Sequence[Rejected]
    copy: PreparedCopy | None = None

    @classmethod
    def open(cls, name: str, dataset: Any, root: Path, labels: str = "") -> Held:
        """Read what is under a root.

        Args:
            name: Name of the data set.
            dataset: The data set.
            root: Its own folder, or a prepared copy.
            labels: Label choice; empty = that of the copy, else the data set's first.

        Raises:
            InputError: If a file is missing or wrong, there is no such label choice, or the copy
                is of something else.
        """
        copy = PreparedCopy.find(root)
        if copy is None:
            labels = labels or dataset.label_choices[0].name
            reading = read(dataset, root, labels)
            return cls(name, dataset, root, labels, reading.studies, reading.rejected)
        labels = labels or str(copy.record["labels"])
        copy.check(name, labels, dataset.options.model_dump(mode="json"))
        log_warnings(root, copy.record["warnings"])
        return cls(name, dataset, root, labels, list(copy.studies), copy.rejected, copy)

    @property
    def pictures(self) -> Path:
        """Folder the paths of pictures start from.

        Raises:
            InputError: If a copy's raw folder is no longer there.
        """
        return self.root if self.copy is None else self.copy.raw

    def count(self) -> Inventory:
        """Count what is there; findings in the development part alone."""
        studies = self.studies
        locked = locked_studies(self.dataset, studies)
        development = [study for study in studies if study.study not in locked]
        splits = _planned(self, locked) if self.copy is None else self.copy.manifests()
        return Inventory(
            dataset=self.name,
            labels=self.labels,
            studies=len(studies),
            groups=len({study.patient for study in studies}),
            pictures=sum(len(study.images) for study in studies),
            parts={"development": len(development), "locked": len(locked)},
            splits={one.name: _counted(one.assignments.values()) for one in splits},
            findings=_findings(development),
            views=_counted(image.view for study in studies for image in study.images),
            modalities=_counted(m for s in studies for m in {i.modality for i in s.images}),
            passages=_counted(
                part for s in studies for part in {f"{p.name} {p.language}" for p in s.report}
            ),
            left_out=reasons(self.rejected),
            published=dict(self.dataset.expected),
        )

    def study(self, study: str) -> Study:
        """One study of the development part.

        Raises:
            InputError: If there is none of that id, or it is locked.
        """
        found = {one.study: one for one in self.studies}
        if study not in found:
            raise InputError(f"{self.name} has no study {study!r}", did_you_mean(study, found))
        if study in locked_studies(self.dataset, self.studies):
            raise InputError(
                f"{self.name}: study {study!r} is in the locked part, which is not looked at",
                "choose a study of the development part",
            )
        return found[study]


def _planned(held: Held, locked: frozenset[str]) -> Iterator[Manifest]:
    """The splits a run can ask for by kind; one that cannot be made is not there."""
    official = official_parts(held.dataset, held.root)
    kinds: list[Literal["locked", "fixed", "official"]] = ["locked" if locked else "fixed"]
    for kind in (*kinds, *(("official",) if official else ())):
        split = SplitSection(kind=kind)
        try:
            yield make_manifest(
                held.studies, split, dataset=held.name, locked=locked, official=official
            )
        except InputError:
            continue


def _findings(studies: Sequence[Study]) -> tuple[FindingCount, ...]:
    counts = Counter(pair for study in studies for pair in study.stated.items())
    findings = {finding for finding, _ in counts}
    rows = []
    for finding in findings:
        positive, negative = counts[finding, "present"], counts[finding, "absent"]
        uncertain = counts[finding, "uncertain"]
        silent = len(studies) - positive - negative - uncertain
        rows.append(FindingCount(finding, positive, negative, uncertain, silent))
    return tuple(sorted(rows, key=lambda row: (-row.present, row.finding)))


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(sorted(words)).most_common())
