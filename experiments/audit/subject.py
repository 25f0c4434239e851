"""Subject: the labelled development part of a data set, with the folds that its runs are tested on.

The locked part is divided off first and nothing of it is looked at. Folds are those of
`split: {kind: folds}`, so a probe and a run of the same seed share their manifests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encoders.study import Study
from experiments.audit.measured_facts import with_measured_facts
from experiments.config.schema import DataSection, SplitSection
from experiments.loading.targets import choose_findings, label_set_of, targets
from experiments.metrics.arrays import FloatArray, IntArray, Units
from experiments.preparation.open_dataset import OpenDataset
from experiments.runs.build import labelled_studies
from experiments.splits.manifest import Manifest
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["Asked", "Fold", "Subject", "open_subject"]


@dataclass(frozen=True)
class Asked:
    """On which folds a data set is to be audited, and how closely.

    Args:
        folds: Number of folds.
        seed: Seed of the folds, and of whatever else is drawn.
        at_least: Findings with fewer positives in the development part are left out.
        resamples: Bootstrap resamples of an interval.
        shuffles: How often labels are shuffled for the check of the audit itself.
    """

    folds: int = 5
    seed: int = 0
    at_least: int = 20
    resamples: int = 1000
    shuffles: int = 20


@dataclass(frozen=True)
class Fold:
    """One fold: rows of the subject that train, and that are tested."""

    train: IntArray
    test: IntArray


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Args:
        asked: What was asked for.
        opened: The data set.
        label_set: Its label set.
        findings: Concept ids that are asked for (`C`).
        studies: Labelled development studies, with measured facts (`n`).
        labels: 1, 0 or NaN = not stated, `[n, C]`.
        manifests: The split of each fold.
        unlabelled: Development studies that state no label at all.
    """

    asked: Asked
    opened: OpenDataset
    label_set: LabelSet
    findings: tuple[str, ...]
    studies: tuple[Study, ...]
    labels: FloatArray
    manifests: tuple[Manifest, ...]
    unlabelled: int

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Patient group of each study."""
        return tuple(study.patient for study in self.studies)

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Modality of each study; empty where it has no picture."""
        return tuple(study.metadata.get("modality", "") for study in self.studies)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The modalities there are, where they are several; else nothing."""
        names = tuple(dict.fromkeys(self.modalities))
        return tuple(sorted(names)) if len(names) > 1 else ()

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Rows of each fold, validation left out of both sides as it is in a run."""

        def rows(manifest: Manifest, part: str) -> IntArray:
            places = [manifest.assignments[study.study] == part for study in self.studies]
            return np.flatnonzero(places)

        return tuple(Fold(rows(one, "train"), rows(one, "test")) for one in self.manifests)

    @cached_property
    def tested_in(self) -> IntArray:
        """Fold in which each study is tested, `[n]`."""
        place = np.full(len(self.studies), -1)
        for number, fold in enumerate(self.folds):
            place[fold.test] = number
        return place

    def units(self, *, within: bool) -> Units:
        """How rows hang together: patients within folds, judged within modality where asked."""
        parts = self.modalities if within and self.parts else None
        return Units(self.groups, folds=self.tested_in, modalities=parts)


def open_subject(asked: Asked, opened: OpenDataset, graph: KnowledgeGraph) -> Subject:
    """Read a data set and divide it.

    Args:
        asked: Folds, and what is asked for.
        opened: The data set.
        graph: The graph its label set is from.

    Raises:
        InputError: If no study is labelled, or no finding is frequent enough.
    """
    data = DataSection(name=opened.name, labels=opened.choice.name, at_least=asked.at_least)
    development = opened.development
    if not development:
        raise InputError(
            f"no study of {opened.name} is left to develop on", "see `kgdx data check`"
        )
    studies = labelled_studies(development, data)
    label_set = label_set_of(opened.dataset, opened.root, data.labels, graph)
    findings = choose_findings(label_set, studies, data.at_least)
    manifests = tuple(
        opened.manifest(SplitSection(kind="folds", folds=asked.folds, fold=fold, seed=asked.seed))
        for fold in range(asked.folds)
    )
    return Subject(
        asked=asked,
        opened=opened,
        label_set=label_set,
        findings=findings,
        studies=tuple(with_measured_facts(study, opened.root) for study in studies),
        labels=targets(studies, findings, data.uncertain, opened.choice.blank).astype(np.float64),
        manifests=manifests,
        unlabelled=len(development) - len(studies),
    )
