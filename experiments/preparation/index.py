"""Tables of a prepared copy: readable images, studies, and rejected rows and images."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from encoders.study import Study
from experiments.datasets._layout import Rejected
from experiments.preparation.image_scan import ScannedImage
from experiments.preparation.stored import stored
from experiments.privacy.pseudonyms import sealed, unsealed
from experiments.records.atomic import atomic_path
from kg.errors import InputError
from kg.files.shown import cell, of_cell

__all__ = [
    "INDEX",
    "REJECTED",
    "STUDIES_FILE",
    "read_columns",
    "read_rejected",
    "write_images",
    "write_rejected",
    "write_studies",
]

INDEX = "index.parquet"
STUDIES_FILE = "studies.parquet"
REJECTED = "rejected.csv"
TOGETHER = 500
"""Rows of a row group, which is read as a whole."""

IMAGES = pyarrow.schema(
    {
        "study": pyarrow.string(),
        "group": pyarrow.string(),
        "place": pyarrow.int32(),
        "path": pyarrow.string(),
        "modality": pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        "view": pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        "bytes": pyarrow.int64(),
        "sha256": pyarrow.string(),
        "duplicates": pyarrow.int32(),
        "row": pyarrow.int32(),
    }
)
"""Columns of `index.parquet`.

`group` is what a split keeps together, `place` the image's place in its study, `duplicates` the
number of its group of near-duplicates (-1 = it has none), `row` its row among the decoded images
(-1 = none are kept).
"""

STUDIES = pyarrow.schema(
    {"study": pyarrow.string(), "group": pyarrow.string(), "record": pyarrow.string()}
)
"""Columns of `studies.parquet`; `record` is a study as JSON, without unreadable images."""


def write_images(
    path: Path,
    studies: Sequence[Study],
    scanned: Mapping[str, ScannedImage],
    duplicates: Mapping[str, int],
) -> int:
    """Write one row per readable image; returns their number."""

    def rows() -> Iterator[dict[str, Any]]:
        for study in studies:
            for place, image in enumerate(study.images):
                look = scanned[image.path]
                if not look.reason:
                    yield {
                        "study": study.study,
                        "group": study.patient,
                        "place": place,
                        "path": sealed(image.path),
                        "modality": image.modality,
                        "view": image.view,
                        "bytes": look.size,
                        "sha256": look.sha256,
                        "duplicates": duplicates.get(image.path, -1),
                        "row": look.row,
                    }

    return _write(path, IMAGES, rows())


def write_studies(
    path: Path, studies: Sequence[Study], scanned: Mapping[str, ScannedImage]
) -> None:
    """Write one row per study, with its record."""

    def rows() -> Iterator[dict[str, Any]]:
        for study in studies:
            images = tuple(image for image in study.images if not scanned[image.path].reason)
            text = json.dumps(stored(replace(study, images=images)), ensure_ascii=False)
            yield {"study": study.study, "group": study.patient, "record": text}

    _write(path, STUDIES, rows())


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Write one row for each row or image that was left out, with its reason."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(tuple(field.name for field in fields(Rejected)))
        for item in rejected:
            row = (sealed(item.file), item.row, item.reason, sealed(item.item))
            writer.writerow(map(cell, row))


def read_columns(path: Path, *names: str) -> Iterator[tuple[Any, ...]]:
    """Rows of some columns of a table."""
    table = parquet.read_table(path, columns=list(names))
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def read_rejected(path: Path) -> tuple[Rejected, ...]:
    """Read the table written by `write_rejected`.

    Raises:
        InputError: If the table is missing or was edited.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return tuple(
                Rejected(
                    unsealed(of_cell(row["file"])),
                    int(row["row"]),
                    row["reason"],
                    unsealed(of_cell(row["item"])),
                )
                for row in csv.DictReader(lines)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not readable: {error}", "prepare again") from None


def _write(path: Path, schema: Any, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows in row groups; returns their number."""
    count = 0
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        while some := list(islice(rows, TOGETHER)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))
            count += len(some)
    return count
