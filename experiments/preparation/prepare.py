"""Preparing a data set: an index of its readable pictures, its splits, and what was refused.

Everything is written outside the raw folder. A second run whose inputs, options and outputs are
what they were does nothing.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage
from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets._layout import Reading, Rejected
from experiments.inspection import read
from experiments.records.atomic import atomic_path, write_json
from experiments.splits import locked_studies, make_manifest
from kg.errors import InputError

logger = logging.getLogger(__name__)

RECORD = "prepared.json"
SMALL = 64
"""Side in pixels a picture is decoded at to see whether it can be read."""


@dataclass(frozen=True)
class Prepared:
    """What a preparation made.

    Args:
        folder: Where it is.
        changed: Whether anything was written; False = everything was there already.
        studies: Studies.
        pictures: Pictures that can be read.
        rejected: Rows and pictures left out.
        manifests: Names of the splits and their hashes.
    """

    folder: Path
    changed: bool
    studies: int
    pictures: int
    rejected: int
    manifests: dict[str, str]


def prepare(
    name: str, dataset: Any, root: Path, out: Path, *, labels: str = "", strict: bool = False
) -> Prepared:
    """Write `index.parquet`, `splits/*.json` and `rejected.csv` of a data set.

    Args:
        name: Its name.
        dataset: The data set.
        root: Its own folder; nothing is written into it.
        out: Folder to write to.
        labels: Label choice that balances the splits; empty = its first.
        strict: Whether the first row or picture that has to be left out is an error.

    Raises:
        InputError: If `out` is in the raw folder, an input is wrong, or `strict` and one is left
            out.
    """
    if out.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{out} is in the raw folder {root}", "write to another folder")
    labels = labels or dataset.label_choices[0].name
    reading = read(dataset, root, labels)
    fingerprint = fingerprint_of(name, reading, root)
    before = _unchanged(out, fingerprint)
    if before is not None and not (strict and before.rejected):
        return before
    refused = [*reading.rejected, *_unreadable(root, reading.studies)]
    if strict and refused:
        first = refused[0]
        raise InputError(
            f"{root / first.file}: {first.item}: {first.reason} (and {len(refused) - 1} more)",
            "mend it, or prepare without --strict",
        )
    bad = {item.item for item in refused if item.file == item.item}
    out.mkdir(parents=True, exist_ok=True)
    pictures = _write_index(out / "index.parquet", reading.studies, bad)
    _write_rejected(out / "rejected.csv", refused)
    manifests = _write_splits(out / "splits", name, dataset, reading.studies)
    record = {
        "fingerprint": fingerprint,
        "studies": len(reading.studies),
        "pictures": pictures,
        "rejected": len(refused),
        "manifests": manifests,
    }
    write_json(out / RECORD, record | {"files": _hashes(out)})
    return _prepared(out, record, changed=True)


def fingerprint_of(name: str, reading: Reading, root: Path) -> str:
    """SHA-256 over what a preparation depends on.

    The data set, the version, everything that was read (texts, labels, what was left out), and
    size and time of change of every picture.
    """
    digest = hashlib.sha256(f"{name}\n{version('kgdx')}\n".encode())
    for study in reading.studies:
        digest.update(json.dumps(asdict(study), sort_keys=True).encode())
        for image in study.images:
            about = (root / image.path).stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}\n".encode())
    digest.update(json.dumps([astuple(item) for item in reading.rejected]).encode())
    return digest.hexdigest()


def _unchanged(out: Path, fingerprint: str) -> Prepared | None:
    """What is there already, if it was made of the same inputs and is still as it was made."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        same = record["fingerprint"] == fingerprint and record["files"] == _hashes(out)
        return _prepared(out, record, changed=False) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _prepared(out: Path, record: dict[str, Any], *, changed: bool) -> Prepared:
    kept = ("studies", "pictures", "rejected", "manifests")
    return Prepared(out, changed, **{key: record[key] for key in kept})


def _hashes(out: Path) -> dict[str, str]:
    files = [out / "index.parquet", out / "rejected.csv", *sorted((out / "splits").glob("*.json"))]
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _unreadable(root: Path, studies: Sequence[Study]) -> list[Rejected]:
    """Pictures that cannot be decoded, each with its reason code."""

    def reason(path: str) -> str:
        try:
            read_picture(root / path, target=SMALL)
        except RejectedImage as error:
            return error.reason
        return ""

    paths = list(dict.fromkeys(image.path for study in studies for image in study.images))
    with ThreadPoolExecutor(max_workers=2) as threads:
        found = list(threads.map(reason, paths))
    bad = [Rejected(path, 0, why, path) for path, why in zip(paths, found, strict=True) if why]
    if bad:
        logger.warning("%d of %d pictures cannot be read; see rejected.csv", len(bad), len(paths))
    return bad


def _write_index(path: Path, studies: Sequence[Study], bad: set[str]) -> int:
    """Write one row a readable picture; gives their number."""
    import pyarrow
    from pyarrow import parquet

    rows = [
        (study.study, study.patient, place, image.path, image.modality, image.view)
        for study in studies
        for place, image in enumerate(study.images)
        if image.path not in bad
    ]
    columns = ("study", "group", "place", "path", "modality", "view")
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    table = pyarrow.table(dict(zip(columns, map(list, cells), strict=True)))
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)
    return len(rows)


def _write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "row", "reason", "item"))
        writer.writerows(astuple(item) for item in rejected)


def _write_splits(
    folder: Path, name: str, dataset: Any, studies: Sequence[Study]
) -> dict[str, str]:
    """Write the five folds and, where there is a locked part, the split that tests it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    locked = locked_studies(dataset, studies)
    wanted = [SplitSection(fold=fold) for fold in range(SplitSection().folds)]
    wanted.append(SplitSection(kind="locked" if locked else "fixed"))
    hashes = {}
    for split in wanted:
        manifest = make_manifest(studies, split, dataset=name, locked=locked)
        manifest.save(folder / f"{manifest.name}.json")
        hashes[manifest.name] = manifest.sha256
    return hashes
