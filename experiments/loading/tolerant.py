"""Tolerant loading: reads studies without their unreadable images instead of stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from encoders.reading.limits import check_file
from encoders.reading.rejected import RejectedImage
from encoders.study import Study
from experiments.loading.cohort import Cohort
from experiments.loading.preprocessor import StudyPreprocessor
from kg.errors import InputError

__all__ = ["has_input", "read_tolerantly"]


def read_tolerantly(
    preprocessor: StudyPreprocessor, studies: Sequence[Study], root: Path
) -> tuple[Cohort, list[RejectedImage]]:
    """Read studies as at test, without unreadable images.

    A study that had images and keeps no input that the run reads is left out.

    Args:
        preprocessor: A fitted or restored preprocessor.
        studies: The studies.
        root: Folder their image paths are relative to.

    Returns:
        The cohort, and the error of each unreadable image, in order.

    Raises:
        InputError: If no study is left.
    """
    rejected: dict[str, RejectedImage] = {}
    left = list(studies)
    if preprocessor.images is not None:
        for image in {image.path: image for study in left for image in study.images}.values():
            try:
                check_file(root / image.path)
            except RejectedImage as error:  # noqa: PERF203 - each is listed
                rejected[image.path] = error
    while True:
        left = [kept for study in left if (kept := _without(study, set(rejected), preprocessor))]
        if not left:
            first = next(iter(rejected.values()), None)
            reason = f": {first.message}" if first else ""
            raise InputError(f"no study is left to read{reason}", first.hint if first else "")
        try:
            return preprocessor.read(left, root), list(rejected.values())
        except RejectedImage as error:
            bad = [i.path for s in left for i in s.images if root / i.path == error.path]
            if not bad:
                raise
            rejected |= dict.fromkeys(bad, error)


def has_input(preprocessor: StudyPreprocessor, study: Study) -> bool:
    """Whether a study has any input that the run reads at test."""
    policy = preprocessor.experiment.text.test
    if preprocessor.images is not None and preprocessor.images.allowed(study):
        return True
    if policy != "none" and any(p.text.strip() for p in preprocessor.text.passages(study, policy)):
        return True
    return any(study.metadata.get(name) for name in preprocessor.metadata.names)


def _without(study: Study, rejected: set[str], preprocessor: StudyPreprocessor) -> Study | None:
    """The study without rejected images; None where it keeps no input."""
    images = tuple(image for image in study.images if image.path not in rejected)
    if len(images) == len(study.images):
        return study
    kept = replace(study, images=images)
    return kept if has_input(preprocessor, kept) else None
