"""Preparation of a data set: image scan, splits and tables, written as a prepared copy.

The copy (`index.parquet`, `studies.parquet`, `splits/`, `duplicates.csv`, `rejected.csv` and, where
requested, decoded images) is written outside the raw folder. An unchanged preparation is not
repeated, and an interrupted one is continued. `prepared.json` is written last: without it there is
no copy.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from encoders.contents import file_hash
from encoders.reading.picture import READING
from encoders.reading.transforms import RECIPES
from encoders.study import SplitSubset, Study
from experiments.config.schema import SplitSection
from experiments.datasets._layout import Reading, Rejected
from experiments.preparation.copy import RECORD, StudyTable
from experiments.preparation.duplicates import (
    duplicate_groups,
    joined,
    refuse_divided,
    write_duplicates,
)
from experiments.preparation.image_scan import ImageScan, Recipe, ScannedImage
from experiments.preparation.index import (
    INDEX,
    REJECTED,
    STUDIES_FILE,
    write_images,
    write_rejected,
    write_studies,
)
from experiments.preparation.inspection import read
from experiments.preparation.plan import PLAIN, Plan, fingerprint_of
from experiments.preparation.shards import FOLDER as SHARDS
from experiments.preparation.shards import Sample, write_shards
from experiments.preparation.store import ABOUT, SQUARES, ImageStore
from experiments.preparation.stored import NO_TEXT, kept_reading
from experiments.privacy.free_text import check_text, chosen_text
from experiments.privacy.pseudonyms import sealed
from experiments.records.atomic import remove_leftovers, write_json
from experiments.splits.manifest import (
    Manifest,
    locked_studies,
    make_manifest,
    manifest_name,
    official_subsets,
)
from kg.errors import InputError, did_you_mean
from kg.files.json_text import json_in

__all__ = ["Plan", "Prepared", "prepare"]

logger = logging.getLogger(__name__)

TABLES = (INDEX, STUDIES_FILE, "duplicates.csv", REJECTED)
FRACTIONS = (0.1, 0.01)
FEWEST = 5
"""Fewest training groups of a fraction that is written."""


@dataclass(frozen=True)
class Prepared:
    """Result of a preparation.

    Args:
        folder: Folder of the copy.
        changed: Whether anything was written; False = the copy was up to date.
        studies: Number of studies.
        pictures: Number of readable images.
        duplicates: Number of images with a near-duplicate.
        rejected: Number of rows and images left out.
        manifests: Names of the splits and their hashes.
        unmade: Names of splits that cannot be made, with the reason.
    """

    folder: Path
    changed: bool
    studies: int
    pictures: int
    duplicates: int
    rejected: int
    manifests: dict[str, str]
    unmade: dict[str, str]


def prepare(
    name: str,
    dataset: Any,
    root: Path,
    out: Path,
    *,
    labels: str = "",
    strict: bool = False,
    plan: Plan = PLAIN,
) -> Prepared:
    """Write the prepared copy of a data set.

    Args:
        name: Name of the data set.
        dataset: The data set.
        root: Its raw folder, which is not written to.
        out: Folder to write to.
        labels: Label set that the splits are stratified by; empty = the first.
        strict: Whether a row or image that has to be left out is an error.
        plan: Options of the preparation.

    Raises:
        InputError: If `out` is in the raw folder, an input is wrong, a split divides
            near-duplicates, something is left out under `strict`, or text cannot be
            de-identified.
    """
    if out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{out} is in the raw folder {root}", "write to another folder")
    if plan.view not in RECIPES:
        raise InputError(f"no view recipe {plan.view!r}", did_you_mean(plan.view, RECIPES))
    labels = labels or dataset.label_choices[0].name
    text = chosen_text(plan.text)
    check_text(text)
    plan = replace(plan, text=text)
    reading = read(dataset, root, labels, plan.duplicates)
    official = official_subsets(dataset, root)
    fingerprint = fingerprint_of(name, reading, root, plan, official)
    before = unchanged(out, fingerprint)
    if before is not None and not (strict and before.rejected):
        return before
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        with lock.acquire(timeout=0):
            remove_leftovers(out)
            scanned = _scan(root, out, reading.studies, plan)
            refused = (*reading.rejected, *_unreadable(scanned))
            if strict and refused:
                raise _refusal(root, refused)
            (out / RECORD).unlink(missing_ok=True)
            work = _Work(name, dataset, root, out, labels, plan, official)
            reading = kept_reading(replace(reading, rejected=refused), chosen_text(plan.text))
            return work.write(reading, scanned, fingerprint)
    except Timeout:
        raise InputError(f"{out}: another process prepares it", "wait for it to end") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{out} cannot be written: {reason}", "free space, or check its permissions"
        ) from error


def unchanged(out: Path, fingerprint: str) -> Prepared | None:
    """Existing copy, if it was made from the same inputs and is unchanged; else None."""
    try:
        record = json_in(out / RECORD)
        same = record["fingerprint"] == fingerprint and record["files"] == _hashes(out)
        return _prepared(out, record, changed=False) if same else None
    except (OSError, InputError, ValueError, KeyError, TypeError):
        return None


def _prepared(out: Path, record: Mapping[str, Any], *, changed: bool) -> Prepared:
    kept = ("studies", "pictures", "duplicates", "rejected", "manifests", "unmade")
    return Prepared(out, changed, **{key: record[key] for key in kept})


def _hashes(out: Path) -> dict[str, str]:
    """Hash of each table and manifest; size of decoded images and shards."""
    files = [*(out / table for table in TABLES), *sorted((out / "splits").glob("*.json"))]
    hashes = {path.relative_to(out).as_posix(): file_hash(path) for path in files}
    large = [out / SQUARES, *sorted((out / SHARDS).glob("*"))]

    return hashes | {
        path.relative_to(out).as_posix(): f"{path.stat().st_size} bytes"
        for path in large
        if path.is_file()
    }


def _scan(
    root: Path,
    out: Path,
    studies: Sequence[Study],
    plan: Plan,
) -> dict[str, ScannedImage]:
    """Scan result of every image by path."""
    recipe = Recipe(f"{version('kgdx')} {READING}", plan.side, plan.view)
    paths = list(dict.fromkeys(image.path for study in studies for image in study.images))
    scan = ImageScan(root, out, recipe, out / SQUARES)
    return {look.path: look for look in scan.scan(paths, plan.workers)}


def _unreadable(scanned: Mapping[str, ScannedImage]) -> list[Rejected]:
    """Images that cannot be decoded, with reason codes."""
    bad = [
        Rejected(look.path, 0, look.reason, look.path) for look in scanned.values() if look.reason
    ]
    if bad:
        logger.warning("%d of %d images cannot be read; see rejected.csv", len(bad), len(scanned))
    return bad


def _refusal(root: Path, refused: Sequence[Rejected]) -> InputError:
    first = refused[0]
    return InputError(
        f"{root / first.file}: {first.item}: {first.reason} (and {len(refused) - 1} more)",
        "fix it, or prepare without --strict",
    )


def _lacking(official: Mapping[str, SplitSubset], studies: Sequence[Study]) -> str:
    """First subset of an official split without any study; empty = none."""
    here = {official.get(study.study) for study in studies}
    subsets: tuple[SplitSubset, ...] = ("train", "test")
    return next((subset for subset in subsets if official and subset not in here), "")


@dataclass(frozen=True)
class _Work:
    """Writer of one preparation, after the image scan."""

    name: str
    dataset: Any
    root: Path
    out: Path
    labels: str
    plan: Plan
    official: Mapping[str, SplitSubset]

    def write(
        self, reading: Reading, scanned: Mapping[str, ScannedImage], fingerprint: str
    ) -> Prepared:
        """Write all files, and last the record that marks the copy as complete."""
        studies: Sequence[Study] = reading.studies
        duplicates = duplicate_groups(list(scanned.values()))
        if self.plan.duplicates == "join":
            groups = joined(studies, duplicates)
            studies = [
                replace(study, patient=groups.get(study.patient, study.patient))
                for study in studies
            ]
        splits, unmade = self._splits(studies)
        manifests = self._save(splits, studies, duplicates)
        pictures = write_images(self.out / INDEX, studies, scanned, duplicates)
        write_studies(self.out / STUDIES_FILE, studies, scanned)
        write_duplicates(self.out / "duplicates.csv", studies, duplicates)
        write_rejected(self.out / REJECTED, reading.rejected)
        self._about(scanned)
        self._shards()
        record = {
            "dataset": self.name,
            "options": self.dataset.options.model_dump(mode="json"),
            "labels": self.labels,
            "root": sealed(str(self.root.resolve())),
            "lacks_text": NO_TEXT in reading.warnings,
            "fingerprint": fingerprint,
            "studies": len(studies),
            "pictures": pictures,
            "duplicates": len(duplicates),
            "rejected": len(reading.rejected),
            "warnings": reading.warnings,
            "manifests": manifests,
            "unmade": unmade,
        }
        write_json(self.out / RECORD, record | {"files": _hashes(self.out)})
        return _prepared(self.out, record, changed=True)

    def _splits(self, studies: Sequence[Study]) -> tuple[Iterator[Manifest], dict[str, str]]:
        """Folds, and the locked, fixed or official split with its fractions of training.

        Splits are made lazily. An official split with an empty subset is not made; the reason is
        returned.
        """
        locked = locked_studies(self.dataset, studies)
        official, unmade = self.official, {}
        lacking = _lacking(official, studies)
        if lacking:
            name = manifest_name(self.name, SplitSection(kind="official"))
            unmade[name] = f"no study of its subset {lacking!r} is here"
            logger.warning("%s is not written: %s", name, unmade[name])
            official = {}

        def divided(split: SplitSection) -> Manifest:
            return make_manifest(
                studies, split, dataset=self.name, locked=locked, official=official
            )

        def each() -> Iterator[Manifest]:
            for fold in range(SplitSection().folds):
                yield divided(SplitSection(fold=fold))
            kinds: list[Literal["locked", "fixed", "official"]] = ["locked" if locked else "fixed"]
            for kind in (*kinds, *(("official",) if official else ())):
                whole = divided(SplitSection(kind=kind))
                groups = len({whole.groups[study] for study in whole.studies("train")})
                yield whole
                for share in FRACTIONS:
                    if share * groups >= FEWEST:
                        yield divided(SplitSection(kind=kind, fraction=share))

        return each(), unmade

    def _save(
        self, manifests: Iterable[Manifest], studies: Sequence[Study], duplicates: Mapping[str, int]
    ) -> dict[str, str]:
        """Write each split, one at a time; returns names and hashes.

        Raises:
            InputError: If one divides near-duplicates, and that is refused.
        """
        folder, written = self.out / "splits", {}
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()
        for manifest in manifests:
            if self.plan.duplicates == "refuse":
                refuse_divided(manifest, studies, duplicates)
            manifest.save(folder / f"{manifest.name}.json")
            written[manifest.name] = manifest.sha256
        return written

    def _about(self, scanned: Mapping[str, ScannedImage]) -> None:
        """Describe the decoded images, or remove those of an earlier plan."""
        if not self.plan.side:
            (self.out / ABOUT).unlink(missing_ok=True)
            (self.out / SQUARES).unlink(missing_ok=True)
            return
        count = (self.out / SQUARES).stat().st_size // (2 * self.plan.side**2)
        about = {"side": self.plan.side, "view": self.plan.view, "count": count}
        write_json(self.out / ABOUT, about)

    def _shards(self) -> None:
        """Write the shards, or remove those of an earlier plan."""
        if not self.plan.shards:
            shutil.rmtree(self.out / SHARDS, ignore_errors=True)
            return
        table = StudyTable(self.out / STUDIES_FILE)
        about = {"studies": len(table), "side": self.plan.side, "view": self.plan.view}
        write_shards(self.out, self._samples(table), about, self.plan.shards)

    def _samples(self, table: StudyTable) -> Iterator[Sample]:
        """Every study with the resized images of its stills."""
        store = ImageStore.open(self.out) if self.plan.side else None
        for row, study in enumerate(table):
            held: tuple[str, ...] = ()
            squares: NDArray[np.float16] = np.zeros((0, 1, 1), np.float16)
            if store is not None:
                paths = [image.path for image in study.images]
                held = tuple(p for p, at in zip(paths, store.places(paths), strict=True) if at >= 0)
                squares = store.squares[store.rows(held)]
            yield Sample(row, study, held, squares)
