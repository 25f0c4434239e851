"""Cohorts of a run from an opened data set: fitting of the preprocessor, and reading of studies.

Training studies of a prepared copy with shards are streamed; a copy with decoded images gives these
on demand. Validation and test are read into memory either way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypedDict

import numpy as np
import torch

from encoders.study import SplitSubset, Study
from experiments.config.schema import ImageSection
from experiments.loading.cohort import Cohort
from experiments.loading.mixture import Further, whole_paths
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.loading.stream import StreamedCohort
from experiments.preparation.copy import StudyTable
from experiments.preparation.open_dataset import OpenDataset
from kg.errors import InputError

__all__ = ["SUBSETS", "Cohorts", "fit_preprocessor", "image_hashes", "read_cohorts", "those"]

FITTED = 20_000
"""Largest number of streamed studies for fitting vocabulary, prevalence and the like."""


SUBSETS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


class Cohorts(TypedDict):
    """Studies of each subset; those of training with training-only targets and text."""

    train: Cohort | StreamedCohort
    validation: Cohort
    test: Cohort


def image_hashes(opened: OpenDataset, image: ImageSection) -> Mapping[str, str]:
    """Hashes of the images that a run takes from a copy and not from their files."""
    if opened.copy is None or opened.copy.store is None or image.frozen:
        return {}
    return opened.copy.store.hashes


def fit_preprocessor(
    preprocessor: StudyPreprocessor,
    opened: OpenDataset,
    training: Sequence[Study],
    further: Sequence[Further] = (),
) -> None:
    """Fit a preprocessor on the training studies, at most `FITTED` of streamed ones."""
    store = opened.copy.store if opened.copy is not None else None
    if store is not None and preprocessor.images is not None:
        if preprocessor.images.trainable_encoder is not None:
            store.check(
                preprocessor.images.encoder.preprocessing.size, preprocessor.images.section.recipe
            )
        preprocessor.images.resized = store
    if isinstance(training, StudyTable) and len(training) > FITTED:
        places = np.linspace(0, len(training) - 1, FITTED).astype(int).tolist()
        training = [training[place] for place in places]
    preprocessor.fit([*training, *whole_paths(further)], opened.root)


def read_cohorts(
    preprocessor: StudyPreprocessor,
    opened: OpenDataset,
    subsets: Mapping[SplitSubset, Sequence[Study]],
    further: Sequence[Further] = (),
) -> Cohorts:
    """Cohorts of each subset; streamed training studies are read batch by batch.

    Raises:
        InputError: If training studies are streamed, and there are further data sets.
    """
    train, root = subsets["train"], opened.root
    shards = opened.copy.shards if opened.copy is not None else None
    if shards is not None and further:
        raise InputError(
            f"{opened.folder}: its studies are streamed, which cannot be combined with `also`",
            f"name the raw folder {root} with --root, or prepare without --shards",
        )
    return Cohorts(
        train=(
            StreamedCohort(train, shards, preprocessor, root, workers=os.cpu_count() or 1)
            if shards is not None and isinstance(train, StudyTable)
            else _together(preprocessor, opened, train, further)
        ),
        validation=preprocessor.read(list(subsets["validation"]), root),
        test=preprocessor.read(list(subsets["test"]), root),
    )


def _together(
    preprocessor: StudyPreprocessor,
    opened: OpenDataset,
    train: Sequence[Study],
    further: Sequence[Further],
) -> Cohort:
    """Training studies of the run's own data set and of the further ones as one cohort."""
    everyone = [*train, *whole_paths(further)]
    cohort = preprocessor.read(everyone, opened.root, training=True)
    places, start = {opened.name: range(len(train))}, len(train)
    for one in further:
        places[one.name] = range(start, start + len(one.studies))
        cohort.targets[places[one.name].start :][: len(one.studies)] = torch.from_numpy(one.targets)
        start += len(one.studies)
    return replace(cohort, subsets=places)


def those(studies: Sequence[Study], keep: Callable[[Study], bool]) -> Sequence[Study]:
    """Studies for which `keep` is true; a table stays a table."""
    if isinstance(studies, StudyTable):
        return studies.where(keep)
    return [study for study in studies if keep(study)]
