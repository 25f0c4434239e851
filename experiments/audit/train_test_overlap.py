"""What would let a test study be known from training: images, texts and patients that recur."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from encoders.reading.picture import READING
from encoders.study import Study
from experiments.audit.record import Likeness
from experiments.audit.subject import Subject
from experiments.preparation.duplicates import duplicate_groups
from experiments.preparation.image_scan import Looking, Recipe

__all__ = ["likeness"]


def likeness(subject: Subject, official: Mapping[str, str], folder: Path) -> Likeness:
    """Compare all images by their difference hash, and all texts word for word.

    Args:
        subject: What is audited.
        official: Part of each study in the published split; empty where there is none.
        folder: Where the hashes are kept, so that images are looked at once.
    """
    paths = list(dict.fromkeys(image.path for one in subject.studies for image in one.images))
    folder.mkdir(parents=True, exist_ok=True)
    looks = Looking(subject.opened.root, folder, Recipe(READING), folder / "squares").look(paths, 1)
    groups = duplicate_groups(looks)
    members: dict[int, set[int]] = defaultdict(set)
    for row, study in enumerate(subject.studies):
        for image in study.images:
            if image.path in groups:
                members[groups[image.path]].add(row)
    alike = [sorted(rows) for rows in members.values()]
    shared = _same_text(subject.studies)
    return Likeness(
        pictures=len(paths),
        unreadable=sum(bool(look.reason) for look in looks),
        duplicates=len(groups),
        duplicate_groups=len(members),
        across_patients=sum(len({subject.groups[row] for row in rows}) > 1 for rows in alike),
        across_folds=sum(len(set(subject.tested_in[rows])) > 1 for rows in alike),
        across_official=_parted(subject, alike, official) if official else None,
        official_patients=_divided(subject, official) if official else None,
        same_text=len(shared),
        same_text_studies=sum(map(len, shared)),
        texts=sum(bool(_written(study)) for study in subject.studies),
    )


def _parted(subject: Subject, alike: Sequence[Sequence[int]], official: Mapping[str, str]) -> int:
    """Groups of like images that the published split has in several parts."""
    return sum(
        len({official[study] for row in rows if (study := subject.studies[row].study) in official})
        > 1
        for rows in alike
    )


def _divided(subject: Subject, official: Mapping[str, str]) -> int:
    """Patient groups that the published split has in several parts."""
    parts: dict[str, set[str]] = defaultdict(set)
    for study in subject.studies:
        if study.study in official:
            parts[study.patient].add(official[study.study])
    return sum(len(where) > 1 for where in parts.values())


def _same_text(studies: Sequence[Study]) -> list[list[int]]:
    """Rows of each text that several patients have word for word."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, study in enumerate(studies):
        if text := _written(study):
            rows[text].append(row)
    return [same for same in rows.values() if len({studies[row].patient for row in same}) > 1]


def _written(study: Study) -> str:
    """All text of a study, in lower case and with single blanks."""
    passages = (*study.report, *study.dialogue)
    return " ".join(" ".join(one.text for one in passages).lower().split())
