"""Identical images of several patients, who are kept together in every split.

Images are identical where their files have the same bytes: what a run's caches know an image by,
and read in full only where size and beginning agree. Copies saved in another way are found by
`data prepare`, which decodes every image (`duplicates.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from encoders.contents import Contents, members
from encoders.reading.kinds import kind_of
from encoders.study import Study, StudyImage
from experiments.config.schema import Duplicates
from experiments.datasets._layout import Reading
from experiments.datasets._near_duplicates import join
from experiments.splits.manifest import fraction
from kg.errors import InputError
from kg.files.regular import open_regular

__all__ = ["together_by_image"]

BEGINNING = 4096
"""Bytes that are compared before whole files are."""
MOST = 100
"""Largest number of images listed in a message, and of studies of one image."""

Held = tuple[Study, StudyImage]


def together_by_image(
    reading: Reading, root: Path, treatment: Duplicates, locked_as: str = ""
) -> Reading:
    """The studies with patients who share an identical image as one, and a warning that lists them.

    Args:
        reading: The studies.
        root: Folder their image paths are relative to.
        treatment: `refuse` raises where their labels are opposite, `list` leaves patients apart.
        locked_as: Prefix of a group key in the rule of the locked test set.

    Raises:
        InputError: With all such studies, if the same image is labelled present and absent.
    """
    shared = list(_of_several(reading.studies, root))
    if not shared:
        return reading
    opposite = [studies for studies in shared if _opposite(studies)]
    if opposite and treatment == "refuse":
        raise InputError(
            f"{root}: {len(opposite)} images are in studies of several patients with opposite "
            f"labels: {_listed(opposite, _contradiction)}",
            "correct or remove them; `duplicates` join counts such patients as one, list lists",
        )
    found = f"{len(shared)} images are in studies of several patients"
    if treatment == "list":
        warning = f"{found}, whom a split may separate: {_listed(shared, _named)}"
        return replace(reading, warnings=(*reading.warnings, warning))
    warning = f"{found}, who count as one patient: {_listed(shared, _named)}"
    group = _groups(shared, locked_as)
    return replace(
        reading,
        studies=tuple(
            replace(one, patient=group.get(one.patient, one.patient)) for one in reading.studies
        ),
        warnings=(*reading.warnings, warning),
    )


def _of_several(studies: Sequence[Study], root: Path) -> Iterator[list[Study]]:
    """Studies of several patients with the same image, in order, for each such image."""
    contents = Contents()
    keys: tuple[Callable[[Held], object], ...] = (
        lambda held: _size(root / held[1].path),
        lambda held: _beginning(root / held[1].path),
        lambda held: contents.hash(root / held[1].path),
        lambda held: _place(held[1], root),
    )
    parts: Iterable[list[Held]] = [[(study, image) for study in studies for image in study.images]]
    for key in keys:
        parts = _divided(parts, key)
    return ([study for study, _ in part] for part in parts)


def _divided(parts: Iterable[list[Held]], key: Callable[[Held], object]) -> Iterator[list[Held]]:
    """Each part divided by a key, without what is of one patient, or has no key."""
    for part in parts:
        inner: defaultdict[object, list[Held]] = defaultdict(list)
        for held in part:
            try:
                inner[key(held)].append(held)
            except OSError:  # missing or no regular file: told where images are read
                continue
        yield from (
            some for some in inner.values() if len({study.patient for study, _ in some}) > 1
        )


def _place(image: StudyImage, root: Path) -> int | None:
    """The part of the file that is the image, where one file holds those of all patients.

    Outlines of lung nodules alone are such a file; of any other the whole is the image.
    """
    return image.frame if kind_of(root / image.path) == "contours" else None


def _size(path: Path) -> tuple[int, ...]:
    return tuple(file.stat().st_size for file in members(path))


def _beginning(path: Path) -> tuple[bytes, ...]:
    beginnings = []
    for file in members(path):
        with open_regular(file) as opened:
            beginnings.append(opened.read(BEGINNING))
    return tuple(beginnings)


def _groups(shared: Iterable[list[Study]], locked_as: str) -> dict[str, str]:
    """One key for all patients of a group: that by which it is locked if any of them is."""
    pictures = [(("", str(n)), study.patient) for n, some in enumerate(shared) for study in some]
    top = join(pictures, ())
    key: dict[str, str] = {}
    for patient in sorted(top, key=lambda one: (fraction(locked_as + one), one)):
        key.setdefault(top[patient], patient)
    return {patient: key[first] for patient, first in top.items()}


def _opposite(studies: Iterable[Study]) -> list[str]:
    """Findings that are present in one of the studies and absent in another."""
    words: defaultdict[str, set[str]] = defaultdict(set)
    for study in studies:
        for finding, word in study.stated.items():
            words[finding].add(word)
    return [finding for finding, found in words.items() if {"present", "absent"} <= found]


def _named(studies: Iterable[Study]) -> str:
    """`s1 (patient p1) and s2 (patient p2)`."""
    named = dict.fromkeys(f"{study.study} (patient {study.patient})" for study in studies)
    more = [f"{len(named) - MOST} more"] if len(named) > MOST else []
    return " and ".join([*list(named)[:MOST], *more])


def _contradiction(studies: Sequence[Study]) -> str:
    return f"{_named(studies)} differ in {', '.join(_opposite(studies))}"


def _listed(shared: Sequence[list[Study]], words: Callable[[list[Study]], str]) -> str:
    more = f"; and {len(shared) - MOST} more" if len(shared) > MOST else ""
    return "; ".join(words(some) for some in shared[:MOST]) + more
