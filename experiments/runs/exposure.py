"""What a run has seen in training and validation, so that no test elsewhere meets it again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from encoders.contents import Contents
from encoders.study import Study
from experiments.datasets import DATASETS
from experiments.datasets._near_duplicates import Picture, published, read_pairs
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.runs.build import Assembled
from experiments.splits.manifest import Manifest

__all__ = ["SEEN", "Seen", "write_seen"]

SEEN = "seen.json"
"""File of a run folder: hash, data set and published name of each picture it learnt from."""

LEARNT: tuple[Literal["train", "validation"], ...] = ("train", "validation")


def write_seen(folder: RunFolder, made: Assembled) -> None:
    """Write the hashes of the pictures a run learns from into its folder."""
    reader = made.reader.pictures
    rows = set()
    if reader is not None:
        for part in LEARNT:
            for study in made.cohorts[part].studies:
                for path in {image.path for image in reader.chosen(study, made.root)}:
                    digest = reader.contents.hash(made.root / path)
                    rows.add((digest, study.source, published(path)))
    write_json(folder.path / SEEN, {"pictures": sorted(rows)})


@dataclass(frozen=True)
class Seen:
    """Studies, groups and pictures of training and validation.

    Args:
        studies: Ids, each with the data set it is from (`openi:CXR1`).
        groups: Group keys, written alike.
        hashes: SHA-256 of the pictures; None where the run did not keep them.
        names: Data set and published name of the pictures.
    """

    studies: frozenset[str]
    groups: frozenset[str]
    hashes: frozenset[str] | None
    names: frozenset[Picture]

    @staticmethod
    def of(folder: RunFolder, manifest: Manifest) -> Seen:
        """What a run has seen, from its manifest and the hashes it kept."""
        known = DATASETS.names()
        learnt = [study for part in ("train", "validation") for study in manifest.studies(part)]
        hashes, names = None, frozenset[Picture]()
        path = folder.path / SEEN
        if path.is_file():
            rows = json.loads(path.read_text(encoding="utf-8"))["pictures"]
            hashes = frozenset(row[0] for row in rows)
            names = frozenset((row[1], row[2]) for row in rows)
        return Seen(
            studies=frozenset(_full(manifest.dataset, study, known) for study in learnt),
            groups=frozenset(
                _full(manifest.dataset, manifest.groups[study], known) for study in learnt
            ),
            hashes=hashes,
            names=names,
        )

    def refuse(
        self, dataset: str, studies: Sequence[Study], root: Path, contents: Contents
    ) -> tuple[list[Study], dict[str, int]]:
        """The studies of another data set that were not seen, and how many were, by reason.

        Where one study of a patient was seen, all of that patient are refused.

        Args:
            dataset: Name of the data set.
            studies: Its studies.
            root: Folder their picture paths are relative to.
            contents: Gives hashes of pictures.
        """
        known = DATASETS.names()
        twins = self._twins(root)
        reasons = {}
        for study in studies:
            paths = [root / image.path for image in study.images]
            shown = {contents.hash(p) for p in paths if p.exists()} if self.hashes else set()
            reasons[study.study] = self._reason(dataset, study, shown, twins, known)
        closed = {study.patient for study in studies if reasons[study.study]}
        kept = []
        counts: Counter[str] = Counter()
        for study in studies:
            if study.patient in closed:
                counts[reasons[study.study] or "patient"] += 1
            else:
                kept.append(study)
        return kept, dict(counts)

    def _reason(
        self,
        dataset: str,
        study: Study,
        shown: Set[str],
        twins: frozenset[Picture],
        known: Iterable[str],
    ) -> str:
        """Why a study counts as seen: `study`, `patient`, `picture`, `near_duplicate`, or not."""
        if _full(dataset, study.study, known) in self.studies:
            return "study"
        if _full(dataset, study.patient, known) in self.groups:
            return "patient"
        if self.hashes and self.hashes & shown:
            return "picture"
        if any((study.source, published(image.path)) in twins for image in study.images):
            return "near_duplicate"
        return ""

    def _twins(self, root: Path) -> frozenset[Picture]:
        """Pictures that a list of near-duplicates ties to one that was seen."""
        pairs = read_pairs(root)
        found = {second for first, second in pairs if first in self.names}
        return frozenset(found | {first for first, second in pairs if second in self.names})


def _full(dataset: str, key: str, known: Iterable[str]) -> str:
    """A key with its data set before it; a cohort's keys name their data set already."""
    return key if key.partition(":")[0] in known and ":" in key else f"{dataset}:{key}"
