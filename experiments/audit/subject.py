"""Subject of an audit: the labelled development set of a data set, and its folds.

The locked test set is split off first and never read. Folds are those of
`split: {kind: folds}`, so a probe and a run of the same seed share their manifests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encoders.study import Study
from experiments.audit.measured_metadata import with_measured_metadata
from experiments.config.schema import DataSection, SplitSection
from experiments.loading.targets import choose_findings, label_set_of, targets
from experiments.metrics.arrays import FloatArray, IntArray, Units
from experiments.preparation.open_dataset import OpenDataset
from experiments.runs.build import labelled_studies
from experiments.splits.manifest import Manifest
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["AuditOptions", "Fold", "Subject", "open_subject"]


@dataclass(frozen=True)
class AuditOptions:
    """Options of an audit: folds, resamples and the fewest positives.

    Args:
        folds: Number of folds.
        seed: Seed of the folds and of all random draws.
        at_least: Fewest positives of an audited finding in the development set.
        resamples: Bootstrap resamples of an interval.
        shuffles: Number of label shuffles for the check of the audit itself.
    """

    folds: int = 5
    seed: int = 0
    at_least: int = 20
    resamples: int = 1000
    shuffles: int = 20


@dataclass(frozen=True)
class Fold:
    """Rows of the training and test studies of one fold."""

    train: IntArray
    test: IntArray


@dataclass(frozen=True)
class Subject:
    """Studies, labels and folds that are audited.

    Args:
        options: Options of the audit.
        opened: The data set.
        label_set: Its label set.
        findings: Concept ids of the audited findings (`C`).
        studies: Labelled development studies, with measured metadata (`n`).
        labels: 1, 0 or NaN = not stated, `[n, C]`.
        manifests: The split of each fold.
        unlabelled: Number of development studies without any label.
    """

    options: AuditOptions
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
        """Modality of each study; empty where it has no image."""
        return tuple(study.metadata.get("modality", "") for study in self.studies)

    @cached_property
    def strata(self) -> tuple[str, ...]:
        """Modalities that metrics are computed within; empty where there is one only."""
        names = tuple(dict.fromkeys(self.modalities))
        return tuple(sorted(names)) if len(names) > 1 else ()

    @cached_property
    def folds(self) -> tuple[Fold, ...]:
        """Training and test rows of each fold; validation is in neither, as in a run."""

        def rows(manifest: Manifest, subset: str) -> IntArray:
            places = [manifest.assignments[study.study] == subset for study in self.studies]
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
        """Patients, folds and, where `within`, modalities of the rows."""
        modalities = self.modalities if within and self.strata else None
        return Units(self.groups, folds=self.tested_in, modalities=modalities)


def open_subject(options: AuditOptions, opened: OpenDataset, graph: KnowledgeGraph) -> Subject:
    """Read the development set of a data set and divide it into folds.

    Args:
        options: Folds, resamples and the fewest positives of a finding.
        opened: The data set.
        graph: Graph with its label set.

    Raises:
        InputError: If no study is labelled, or no finding is frequent enough.
    """
    data = DataSection(name=opened.name, labels=opened.choice.name, at_least=options.at_least)
    development = opened.development
    if not development:
        raise InputError(
            f"no study of {opened.name} is in the development set", "see `kgdx data check`"
        )
    studies = labelled_studies(development, data)
    label_set = label_set_of(opened.dataset, opened.root, data.labels, graph)
    findings = choose_findings(label_set, studies, data.at_least)
    manifests = tuple(
        opened.manifest(
            SplitSection(kind="folds", folds=options.folds, fold=fold, seed=options.seed)
        )
        for fold in range(options.folds)
    )
    return Subject(
        options=options,
        opened=opened,
        label_set=label_set,
        findings=findings,
        studies=tuple(with_measured_metadata(study, opened.root) for study in studies),
        labels=targets(studies, findings, data.uncertain, opened.choice.blank).astype(np.float64),
        manifests=manifests,
        unlabelled=len(development) - len(studies),
    )
