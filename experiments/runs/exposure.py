"""Exposure: studies and images of training and validation, to keep them out of test sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from encoders.contents import Contents
from encoders.study import Study
from experiments.datasets import DATASETS
from experiments.datasets._near_duplicates import Picture, published, read_pairs
from experiments.privacy.pseudonyms import sealed, unsealed
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.splits.manifest import Manifest
from kg.errors import InputError
from kg.files.json_text import json_in

if TYPE_CHECKING:  # the build of a run checks its exposure
    from experiments.runs.build import RunContext

__all__ = ["SEEN", "Exposure", "check_unseen", "write_exposure"]

SEEN = "seen.json"
"""File of a run folder: hash, data set and published name of each image it was trained on."""

LEARNT: tuple[Literal["train", "validation"], ...] = ("train", "validation")


def write_exposure(
    folder: RunFolder, context: RunContext, parents: Sequence[Exposure] = ()
) -> None:
    """Write the exposure of a run, that of its parents included, into its folder.

    Args:
        folder: The run's folder.
        context: The run.
        parents: Exposure of the runs it started with.
    """
    loader = context.preprocessor.images
    rows = {row for parent in parents for row in parent.pictures}
    if loader is not None:
        for subset in LEARNT:
            for study in context.cohorts[subset].studies:
                for path in {image.path for image in loader.chosen(study, context.root)}:
                    digest = loader.contents.hash(context.root / path)
                    rows.add((digest, study.dataset, published(path)))
    values: dict[str, list[Any]] = {
        "pictures": [(digest, dataset, sealed(name)) for digest, dataset, name in sorted(rows)]
    }
    known = DATASETS.names()
    more = [(one.name, study) for one in context.further for study in one.studies]
    studies = {name for parent in parents for name in parent.studies}
    studies |= {_full(name, study.study, known) for name, study in more}
    groups = {name for parent in parents for name in parent.groups}
    groups |= {_full(name, study.patient, known) for name, study in more}
    if studies:
        values |= {"studies": sorted(studies), "groups": sorted(groups)}
    write_json(folder.path / SEEN, values)


def check_unseen(
    parents: Mapping[str, Exposure],
    dataset: str,
    tested: Sequence[Study],
    root: Path,
) -> None:
    """Refuse test studies that a parent run has seen.

    Args:
        parents: Exposure of each parent by run.
        dataset: Name of the data set.
        tested: Studies of the test set.
        root: Folder their image paths are relative to.

    Raises:
        InputError: With the number of these studies, and how they were recognised.
    """
    for run, exposure in parents.items():
        kept, counts = exposure.refuse(dataset, tested, root, Contents())
        if len(kept) < len(tested):
            left = {study.study for study in kept}
            ids = [study.study for study in tested if study.study not in left]
            known = ", ".join(f"{count} by {reason}" for reason, count in sorted(counts.items()))
            raise InputError(
                f"start: {run} has seen {len(ids)} of the {len(tested)} studies tested here "
                f"({known}): {', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''}",
                "give both runs the same split (split.kind, fold and seed), or test other data",
            )


@dataclass(frozen=True)
class Exposure:
    """Studies, groups and images of a run's training and validation, and of its parents'.

    Args:
        studies: Ids, each with the data set it is from (`openi:CXR1`).
        groups: Group keys in the same form.
        hashes: SHA-256 of the images; None where the run did not keep them.
        names: Data set and published name of the images.
        pictures: Hash, data set and published name of each image.
    """

    studies: frozenset[str]
    groups: frozenset[str]
    hashes: frozenset[str] | None
    names: frozenset[Picture]
    pictures: frozenset[tuple[str, str, str]] = frozenset()

    @staticmethod
    def of(folder: RunFolder, manifest: Manifest) -> Exposure:
        """Exposure of a run, from its manifest and stored hashes."""
        known = DATASETS.names()
        learnt = [study for subset in ("train", "validation") for study in manifest.studies(subset)]
        studies = {_full(manifest.dataset, study, known) for study in learnt}
        groups = {_full(manifest.dataset, manifest.groups[study], known) for study in learnt}
        hashes, rows = None, frozenset[tuple[str, str, str]]()
        path = folder.path / SEEN
        if path.is_file():
            values = json_in(path)
            rows = frozenset((row[0], row[1], unsealed(row[2])) for row in values["pictures"])
            hashes = frozenset(row[0] for row in rows)
            studies |= set(values.get("studies", ()))
            groups |= set(values.get("groups", ()))
        return Exposure(
            studies=frozenset(studies),
            groups=frozenset(groups),
            hashes=hashes,
            names=frozenset((row[1], row[2]) for row in rows),
            pictures=rows,
        )

    def refuse(
        self, dataset: str, studies: Sequence[Study], root: Path, contents: Contents
    ) -> tuple[list[Study], dict[str, int]]:
        """Studies of another data set that were not seen, and numbers of seen ones by reason.

        Where one study of a patient was seen, all of that patient are refused.

        Args:
            dataset: Name of the data set.
            studies: Its studies.
            root: Folder their image paths are relative to.
            contents: Gives hashes of images.
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
        """Reason for counting as seen (`study`, `patient`, `picture`, `near_duplicate`), or ''."""
        if _full(dataset, study.study, known) in self.studies:
            return "study"
        if _full(dataset, study.patient, known) in self.groups:
            return "patient"
        if self.hashes and self.hashes & shown:
            return "picture"
        if any((study.dataset, published(image.path)) in twins for image in study.images):
            return "near_duplicate"
        return ""

    def _twins(self, root: Path) -> frozenset[Picture]:
        """Images that are listed as near-duplicates of a seen one."""
        pairs = read_pairs(root)
        later = {second for first, second in pairs if first in self.names}
        return frozenset(later | {first for first, second in pairs if second in self.names})


def _full(dataset: str, key: str, known: Iterable[str]) -> str:
    """A key prefixed by its data set; keys of combined data sets have it already."""
    return key if key.partition(":")[0] in known and ":" in key else f"{dataset}:{key}"
