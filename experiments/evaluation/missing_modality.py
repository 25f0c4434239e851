"""Missing modalities: evaluation as if studies came without images, text or its statements."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import torch

from experiments.config.schema import Experiment
from experiments.loading.cohort import Cohort
from kg.errors import InputError

__all__ = [
    "INPUT_MODALITIES",
    "InputModality",
    "mask_modalities",
    "read_by",
    "without_modalities",
]

InputModality = Literal["image", "text", "evidence"]
INPUT_MODALITIES: tuple[InputModality, ...] = ("image", "text", "evidence")


def read_by(experiment: Experiment) -> set[InputModality]:
    """The modalities that a configuration reads at test."""
    read: set[InputModality] = set()
    if experiment.text.test != "none":
        read |= {"text", "evidence"}
    return read if experiment.image.encoder is None else read | {"image"}


def without_modalities(experiment: Experiment, missing: Collection[InputModality]) -> Experiment:
    """The configuration with the remaining inputs, from which inputs and leakage are read.

    Args:
        experiment: The run's configuration.
        missing: Modalities to leave out.

    Raises:
        InputError: If a modality is not read by the run, or no input remains.
    """
    reads = read_by(experiment) - ({"evidence"} if "text" in missing else set())
    unread = [modality for modality in missing if modality not in reads]
    if unread:
        known = [modality for modality in INPUT_MODALITIES if modality in reads]
        raise InputError(
            f"{experiment.name}: no {unread[0]} is read at test, so none can be left out",
            f"it reads {' and '.join(known) or 'metadata'}",
        )
    image, text = experiment.image, experiment.text
    if "image" in missing:
        image = image.model_copy(update={"encoder": None})
    if "text" in missing:
        text = text.model_copy(update={"test": "none"})
    remaining = experiment.model_copy(update={"image": image, "text": text})
    if not read_by(remaining) and not remaining.metadata:
        raise InputError(
            f"{experiment.name}: without {' and '.join(missing)} no input is left",
            "leave out fewer modalities",
        )
    return remaining


def mask_modalities(cohort: Cohort, missing: Collection[InputModality]) -> Cohort:
    """The studies as if they had come without some modalities, as some do.

    Args:
        cohort: The studies.
        missing: `image`, `text` (with its statements) or `evidence` (statements about concepts
            alone; the words stay).
    """
    pictures = cohort.pictures
    if "image" in missing and pictures is not None:
        pictures = replace(pictures, rows=torch.full_like(pictures.rows, -1))
    silent, text = "text" in missing, cohort.text
    if text is not None and "evidence" in missing:
        text = replace(text, statements=None)
    return replace(
        cohort,
        pictures=pictures,
        text=None if silent else text,
        evidence=None if silent or "evidence" in missing else cohort.evidence,
    )
