"""DeepLesion: 32,120 CT slices with boxed lesions of eight kinds of place, NIH Clinical Center.

A study is one key slice; its boxes are those of its lesions, and its labels the coarse types of
these (bone, abdomen, mediastinum, ...), stated where any of its lesions has a type: in the
publication the validation and test parts alone. Slices are PNG of 16 bits that hold HU + 32768.
Rows marked as noisy are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from encoders.study import Modality, SplitSubset, Stated, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box, four_numbers
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._made_up import write_table
from experiments.datasets._tables import Row, read_table
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import LabelSet

__all__ = ["DeepLesion"]

TABLE, FOLDER = "DL_info.csv", "Images_png"
COLUMNS = (
    *("File_name", "Patient_index", "Bounding_boxes", "Coarse_lesion_type", "Possibly_noisy"),
    *("Image_size", "Patient_gender", "Patient_age", "Train_Val_Test"),
)
TYPES: Mapping[str, tuple[str, str]] = {
    str(number): (name, f"ckg:lesion_of_{name.replace(' ', '_')}")
    for number, name in enumerate(
        ("bone", "abdomen", "mediastinum", "liver", "lung", "kidney", "soft tissue", "pelvis"), 1
    )
}
"""Name and concept of each coarse type; -1 = not stated."""
PARTS: Mapping[str, SplitSubset] = {"1": "train", "2": "validation", "3": "test"}
ZERO = 32768
"""Stored value of 0 HU."""


class DeepLesion(Layout):
    """The published folder: slices by series, and the table of lesions."""

    licence = "NIH Clinical Center: free use, cite the publication"
    citation = (
        "Yan K, Wang X, Lu L, Summers RM. DeepLesion: automated mining of large-scale lesion "
        "annotations and universal lesion detection with deep learning. J Med Imaging 2018;5(3)."
    )
    homepage = "https://nihcc.app.box.com/v/DeepLesion"
    modalities: ClassVar[tuple[Modality, ...]] = ("ct",)
    label_choices = (LabelChoice("lesion_type", ("image",), "ignore"),)
    files = (
        NeededFile(
            FOLDER,
            "slices: <patient>_<study>_<series>/<slice>.png",
            "the NIH Clinical Center, nihcc.app.box.com/v/DeepLesion",
        ),
        NeededFile(
            TABLE, "one row for each lesion: slice, box, type, part", "beside them", COLUMNS
        ),
    )
    expected: ClassVar[dict[str, int]] = {"lesions": 32735, "slices": 32120, "patients": 4427}
    concepts = tuple(
        Concept(concept, f"lesion of {name}", "finding", source="DeepLesion (Yan 2018)")
        for name, concept in TYPES.values()
    )

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; noisy rows and slices that are not there are rejected."""
        self.choice(labels)
        self.need(root)
        rejected: list[Rejected] = []
        slices: dict[str, list[Row]] = {}
        for row in read_table(root / TABLE, COLUMNS):
            name = row["File_name"]
            reason = ""
            if row["Possibly_noisy"] == "1":
                reason = "possibly noisy"
            elif not (root / _path(row)).is_file():
                reason = "picture not found"
            if reason:
                rejected.append(Rejected(TABLE, row.number, reason, name))
            else:
                slices.setdefault(name, []).append(row)
        return Reading(tuple(_study(rows) for rows in slices.values()), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """The eight coarse types."""
        name = self.choice(labels).name
        concepts = tuple(concept for _, concept in TYPES.values())
        return LabelSet(name, "", concepts, tuple(title for title, _ in TYPES.values()))

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """The published parts."""
        subsets: dict[str, SplitSubset] = {}
        for row in read_table(root / TABLE, COLUMNS):
            part = row["Train_Val_Test"]
            if part not in PARTS:
                raise InputError(
                    f"{row.file}: row {row.number}: Train_Val_Test {part!r}",
                    "write 1 (train), 2 (validation) or 3 (test)",
                )
            subsets[_id(row)] = PARTS[part]
        return subsets

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """The box of each lesion with a type, in pixels of the slice."""
        return tuple(_boxes(root / TABLE))

    def tiny(self, folder: Path) -> None:
        """Write 16 made-up slices of eight patients, one with two lesions."""
        rng = np.random.default_rng(41)
        rows = []
        for number in range(16):
            patient, kind = number // 2, str(number % 8 + 1)
            name = f"{patient + 1:06d}_{number % 2 + 1:02d}_01_{100 + number}.png"
            pixels = rng.normal(-700, 60, (64, 64))
            pixels[20:34, 16:40] = 40
            path = folder / FOLDER / name.rpartition("_")[0] / f"{100 + number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels + ZERO).astype(np.uint16)).save(path)
            part = "1" if patient < 4 else "2" if patient < 6 else "3"
            cells = ("64, 64", "FM"[patient % 2], str(50 + patient), part)
            rows += [(name, patient + 1, "16.0, 20.0, 40.0, 34.0", kind, 0, *cells)]
            rows += [(name, patient + 1, "5, 6, 15, 18", "-1", 0, *cells)] * (number == 3)
        write_table(folder / TABLE, COLUMNS, rows)


def _id(row: Row) -> str:
    return row["File_name"].removesuffix(".png")


def _path(row: Row) -> str:
    series, _, place = row["File_name"].rpartition("_")
    return f"{FOLDER}/{series}/{place}"


def _type(row: Row) -> str | None:
    """Concept of a lesion's coarse type; None where none is stated."""
    kind = row["Coarse_lesion_type"]
    if kind == "-1":
        return None
    if kind not in TYPES:
        raise InputError(
            f"{row.file}: row {row.number}: Coarse_lesion_type {kind!r}", "write 1 to 8, or -1"
        )
    return TYPES[kind][1]


def _study(rows: list[Row]) -> Study:
    first = rows[0]
    held = {concept for row in rows if (concept := _type(row))}
    stated: dict[str, Stated] = {
        concept: "present" if concept in held else "absent" for _, concept in TYPES.values() if held
    }
    age = first["Patient_age"]
    metadata = {
        "modality": "ct",
        "sex": first["Patient_gender"] if first["Patient_gender"] in ("F", "M") else "",
        "age": "" if age.lower() == "nan" else age,
    }
    return Study(
        study=_id(first),
        patient=first["Patient_index"],
        images=(StudyImage(_path(first), "ct", "axial"),),
        stated=stated,
        dataset="deeplesion",
        metadata={key: value for key, value in metadata.items() if value},
    )


def _boxes(table: Path) -> Iterator[Box]:
    for row in read_table(table, COLUMNS):
        concept = _type(row)
        if concept is None or row["Possibly_noisy"] == "1":
            continue
        where = f"{row.file}: row {row.number}"
        left, top, right, bottom = four_numbers(row["Bounding_boxes"].split(","), where)
        left, top = max(left, 0.0), max(top, 0.0)
        yield Box(_id(row), concept, left, top, right - left, bottom - top)
