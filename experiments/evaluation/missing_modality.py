"""A source of every study withheld at test: its pictures, its text, or what its text states."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import torch

from experiments.config.schema import Experiment
from experiments.loading.cohort import Cohort
from kg.errors import InputError

__all__ = ["SOURCES", "Source", "given", "read_by", "withhold"]

Source = Literal["image", "text", "evidence"]
SOURCES: tuple[Source, ...] = ("image", "text", "evidence")


def read_by(experiment: Experiment) -> set[Source]:
    """The sources that a configuration reads at test."""
    read: set[Source] = set() if experiment.text.test == "none" else {"text", "evidence"}
    return read if experiment.image.encoder is None else read | {"image"}


def given(experiment: Experiment, without: Collection[Source]) -> Experiment:
    """The configuration with the inputs that are left, from which inputs and leakage are read.

    Args:
        experiment: The run's configuration.
        without: What is withheld.

    Raises:
        InputError: If a source is not read by the run, or nothing is left to answer from.
    """
    reads = read_by(experiment) - ({"evidence"} if "text" in without else set())
    unread = [source for source in without if source not in reads]
    if unread:
        raise InputError(
            f"{experiment.name}: no {unread[0]} is read at test, so none can be withheld",
            f"it reads {' and '.join(source for source in SOURCES if source in reads) or 'facts'}",
        )
    image, text = experiment.image, experiment.text
    if "image" in without:
        image = image.model_copy(update={"encoder": None})
    if "text" in without:
        text = text.model_copy(update={"test": "none"})
    left = experiment.model_copy(update={"image": image, "text": text})
    if not read_by(left) and not left.metadata:
        raise InputError(
            f"{experiment.name}: without {' and '.join(without)} nothing is left to answer from",
            "withhold fewer sources",
        )
    return left


def withhold(cohort: Cohort, without: Collection[Source]) -> Cohort:
    """The studies as if they had come without a source, as some do.

    Args:
        cohort: The studies.
        without: `image`, `text` (its words and all it states) or `evidence` (what it states of
            concepts; the words stay).
    """
    pictures = cohort.pictures
    if "image" in without and pictures is not None:
        pictures = replace(pictures, rows=torch.full_like(pictures.rows, -1))
    silent = "text" in without
    return replace(
        cohort,
        pictures=pictures,
        text=None if silent else cohort.text,
        evidence=None if silent or "evidence" in without else cohort.evidence,
    )
