"""Train/test overlap: images, texts and patients that recur between training and test studies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from encoders.reading.picture import READING
from encoders.study import Study
from experiments.audit.record import TrainTestOverlap
from experiments.audit.subject import Subject
from experiments.preparation.duplicates import duplicate_groups
from experiments.preparation.image_scan import ImageScan, Recipe

__all__ = ["train_test_overlap"]


def train_test_overlap(
    subject: Subject, official: Mapping[str, str], folder: Path
) -> TrainTestOverlap:
    """Compare all images by their difference hash, and all texts word for word.

    Args:
        subject: Audited studies and folds.
        official: Subset of each study in the published split; empty where there is none.
        folder: Folder of the hashes, so that each image is read once.
    """
    paths = list(dict.fromkeys(image.path for one in subject.studies for image in one.images))
    folder.mkdir(parents=True, exist_ok=True)
    scanned = ImageScan(subject.opened.root, folder, Recipe(READING), folder / "squares").scan(
        paths, 1
    )
    groups = duplicate_groups(scanned)
    members: dict[int, set[int]] = defaultdict(set)
    for row, study in enumerate(subject.studies):
        for image in study.images:
            if image.path in groups:
                members[groups[image.path]].add(row)
    alike = [sorted(rows) for rows in members.values()]
    shared = _same_text(subject.studies)
    return TrainTestOverlap(
        pictures=len(paths),
        unreadable=sum(bool(look.reason) for look in scanned),
        duplicates=len(groups),
        duplicate_groups=len(members),
        across_patients=sum(len({subject.groups[row] for row in rows}) > 1 for rows in alike),
        across_folds=sum(len(set(subject.tested_in[rows])) > 1 for rows in alike),
        across_official=_divided_groups(subject, alike, official) if official else None,
        official_patients=_divided_patients(subject, official) if official else None,
        same_text=len(shared),
        same_text_studies=sum(map(len, shared)),
        texts=sum(bool(_written(study)) for study in subject.studies),
    )


def _divided_groups(
    subject: Subject, alike: Sequence[Sequence[int]], official: Mapping[str, str]
) -> int:
    """Number of groups of near-duplicates that the published split divides."""
    return sum(
        len({official[study] for row in rows if (study := subject.studies[row].study) in official})
        > 1
        for rows in alike
    )


def _divided_patients(subject: Subject, official: Mapping[str, str]) -> int:
    """Number of patient groups that the published split divides."""
    subsets: dict[str, set[str]] = defaultdict(set)
    for study in subject.studies:
        if study.study in official:
            subsets[study.patient].add(official[study.study])
    return sum(len(names) > 1 for names in subsets.values())


def _same_text(studies: Sequence[Study]) -> list[list[int]]:
    """Rows of each text that recurs word for word in several patients."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, study in enumerate(studies):
        if text := _written(study):
            rows[text].append(row)
    return [same for same in rows.values() if len({studies[row].patient for row in same}) > 1]


def _written(study: Study) -> str:
    """All text of a study, in lower case and with single spaces."""
    passages = (*study.report, *study.dialogue)
    return " ".join(" ".join(one.text for one in passages).lower().split())
