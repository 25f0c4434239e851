"""Inventory of a data set's copy: counts, and single studies.

The copy is a raw folder or one written by `data prepare`, whose studies, splits and rejected rows
are read as they were written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.preparation.inspection import reasons
from experiments.preparation.open_dataset import OpenDataset
from experiments.splits.manifest import Manifest
from kg.errors import InputError, did_you_mean

__all__ = ["FindingCount", "Inventory", "development_study", "take_inventory"]


@dataclass(frozen=True)
class FindingCount:
    """Number of development studies by statement of a finding."""

    finding: str
    present: int
    absent: int
    uncertain: int
    not_stated: int


@dataclass(frozen=True)
class Inventory:
    """Counts of a data set; findings are counted in the development set only.

    Args:
        dataset: Name of the data set.
        labels: Label set.
        studies: Number of studies, locked ones included.
        groups: Number of groups (patients, or source documents).
        pictures: Number of images.
        parts: Studies in `development` and `locked`.
        splits: Studies in each subset of the splits by kind.
        findings: Counts of each finding stated anywhere, most frequent first.
        views: Images by view.
        modalities: Studies by modality.
        passages: Studies by passage and language (`findings en`).
        left_out: Rows and images left out, by reason.
        published: Published counts.
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


def take_inventory(opened: OpenDataset) -> Inventory:
    """Count studies, images, splits and findings of a data set."""
    studies, development = list(opened.studies), opened.development
    splits = _planned(opened) if opened.copy is None else opened.copy.manifests()
    return Inventory(
        dataset=opened.name,
        labels=opened.choice.name,
        studies=len(studies),
        groups=len({study.patient for study in studies}),
        pictures=sum(len(study.images) for study in studies),
        parts={"development": len(development), "locked": len(opened.locked)},
        splits={one.name: _counted(one.assignments.values()) for one in splits},
        findings=_findings(development),
        views=_counted(image.view for study in studies for image in study.images),
        modalities=_counted(m for s in studies for m in {i.modality for i in s.images}),
        passages=_counted(
            name for s in studies for name in {f"{p.name} {p.language}" for p in s.report}
        ),
        left_out=reasons(opened.rejected),
        published=dict(opened.dataset.expected),
    )


def development_study(opened: OpenDataset, study: str) -> Study:
    """One study of the development set.

    Raises:
        InputError: If there is none of that id, or it is locked.
    """
    by_id = {one.study: one for one in opened.studies}
    if study not in by_id:
        raise InputError(f"{opened.name} has no study {study!r}", did_you_mean(study, by_id))
    if study in opened.locked:
        raise InputError(
            f"{opened.name}: study {study!r} is in the locked test set, which is not shown",
            "choose a study of the development set",
        )
    return by_id[study]


def _planned(opened: OpenDataset) -> Iterator[Manifest]:
    """Splits by kind; those that cannot be made are left out."""
    kinds: list[Literal["locked", "fixed", "official"]] = ["locked" if opened.locked else "fixed"]
    for kind in (*kinds, *(("official",) if opened.official else ())):
        try:
            yield opened.manifest(SplitSection(kind=kind))
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
