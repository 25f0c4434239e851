"""A source of every study withheld at test: its pictures, its text, or what its text states."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import torch

from experiments.config.schema import Experiment
from experiments.training.cohort import Cohort
from kg.errors import InputError

__all__ = ["SOURCES", "Source", "given", "withhold"]

Source = Literal["image", "text", "evidence"]
SOURCES: tuple[Source, ...] = ("image", "text", "evidence")


def given(experiment: Experiment, without: Collection[Source]) -> Experiment:
    """The configuration with the inputs that are left, from which inputs and leakage are read.

    Args:
        experiment: The run's configuration.
        without: What is withheld.

    Raises:
        InputError: If a source is not read by the run, or nothing is left to answer from.
    """
    reads = {"image": experiment.image.encoder is not None, "text": experiment.text.test != "none"}
    reads["evidence"] = reads["text"] and "text" not in without
    unread = [source for source in without if not reads[source]]
    if unread:
        raise InputError(
            f"{experiment.name}: no {unread[0]} is read at test, so none can be withheld",
            f"it reads {' and '.join(source for source in SOURCES if reads[source]) or 'facts'}",
        )
    image, text = experiment.image, experiment.text
    if "image" in without:
        image = image.model_copy(update={"encoder": None})
    if "text" in without:
        text = text.model_copy(update={"test": "none"})
    if image.encoder is None and text.test == "none" and not experiment.facts:
        raise InputError(
            f"{experiment.name}: without {' and '.join(without)} nothing is left to answer from",
            "withhold fewer sources",
        )
    return experiment.model_copy(update={"image": image, "text": text})


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
