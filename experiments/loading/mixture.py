"""Further training data sets of a run, read like its own and never tested."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.contents import Contents
from encoders.study import Study
from experiments.config.schema import DataSection
from experiments.loading.targets import label_set_of, targets
from experiments.preparation.open_dataset import OpenDataset
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

__all__ = ["Further", "further_studies", "whole_paths", "with_whole_paths"]

log = logging.getLogger(__name__)

Open = Callable[[DataSection], OpenDataset]


@dataclass(frozen=True)
class Further:
    """Training studies of a further data set.

    Args:
        name: Its name.
        root: Its raw folder.
        studies: Its development studies.
        targets: Targets by its own label policy, `[n, C]`; NaN for findings that its label set
            does not have.
    """

    name: str
    root: Path
    studies: tuple[Study, ...]
    targets: NDArray[np.float32]


def further_studies(
    sections: Sequence[DataSection],
    open_section: Open,
    graph: KnowledgeGraph,
    findings: tuple[str, ...],
    closed: frozenset[str],
) -> tuple[Further, ...]:
    """Open the further data sets of a configuration.

    Args:
        sections: Their sections of the configuration.
        open_section: Opens a data set.
        graph: The run's graph, for label sets.
        findings: Concept ids trained on.
        closed: Hashes of validation and test images; a study with one of them is left out.

    Raises:
        InputError: If a data set is named twice, is not there or has no study left.
    """
    names = [section.name for section in sections]
    if len(set(names)) < len(names):
        raise InputError("also: a data set is named twice", "name each data set once")
    return tuple(
        _read(section, open_section(section), graph, findings, closed) for section in sections
    )


def _read(
    section: DataSection,
    opened: OpenDataset,
    graph: KnowledgeGraph,
    findings: tuple[str, ...],
    closed: frozenset[str],
) -> Further:
    contents = Contents()

    def allowed(study: Study) -> bool:
        paths = [opened.root / image.path for image in study.images]
        return not any(contents.hash(path) in closed for path in paths if path.exists())

    everyone = list(opened.development)
    studies = [study for study in everyone if allowed(study)]
    if len(studies) < len(everyone):
        left = len(everyone) - len(studies)
        log.warning(
            "%s: %d studies with a validation or test image are left out", section.name, left
        )
    if not studies:
        raise InputError(f"also: {section.name} has no study to train on", "see `kgdx data check`")
    known = set(label_set_of(opened.dataset, opened.root, section.labels, graph).findings)
    truth = targets(studies, findings, section.uncertain, section.blank)
    truth[:, [finding not in known for finding in findings]] = np.nan
    return Further(section.name, opened.root, tuple(studies), truth)


def whole_paths(further: Sequence[Further]) -> list[Study]:
    """All further studies, with absolute image paths."""
    return [with_whole_paths(study, one.root) for one in further for study in one.studies]


def with_whole_paths(study: Study, root: Path) -> Study:
    """The study with absolute image paths, so that studies of several roots are read together."""
    images = tuple(
        replace(image, path=str((root / image.path).absolute())) for image in study.images
    )
    return replace(study, images=images)
