"""JSRT: 247 chest X-rays, 154 with one proven lung nodule of known site, size and nature.

A study is one image of one patient. Labels: `jsrt` is a nodule, malignant or not (by the
two clinical tables). The published `.IMG` files are read as they are; see
`encoders/reading/raw.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from encoders.study import Stated, Study
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box
from experiments.datasets._layout import Reading, Rejected, first
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw
from experiments.datasets._tables import read_lines
from kg.errors import InputError, did_you_mean
from kg.model.graph import LabelSet

__all__ = ["JSRT"]

NODULES = "CLNDAT_EN.txt|Clinical_Information/CLNDAT_EN.txt"
OTHERS = "CNNDAT_EN.TXT|CNNDAT_EN.txt|Clinical_Information/CNNDAT_EN.TXT"
LABELS = {
    "nodule": "ckg:lung_nodule",
    "malignant": "ckg:lung_cancer",
    "non-nodule": "ckg:no_finding",
}
SEXES = {"female": "F", "male": "M"}
MILLIMETRE = 0.175
"""Side of a pixel in mm."""


class Case(NamedTuple):
    """A line of a clinical table; position and size of the nodule in pixels and mm."""

    name: str
    row: int
    age: str
    sex: str
    nature: str
    size: float = 0
    x: float = 0
    y: float = 0


class JSRT(Pictured):
    """The images of the database and its two clinical tables."""

    licence = "free for research; the Japanese Society of Radiological Technology to be named"
    citation = (
        "Shiraishi J, Katsuragawa S, Ikezoe J, et al. Development of a digital image database for "
        "chest radiographs with and without a lung nodule. AJR 2000;174:71-74."
    )
    homepage = "http://db.jsrt.or.jp/eng.php"
    label_choices = (LabelChoice("jsrt", ("record", "image"), "ignore"),)
    folders = ("All247images", "Nodule154images", "NonNodule93images", "images")
    files = (
        NeededFile(
            "|".join(folders),
            "images, as published (.IMG) or saved as PNG, TIFF or DICOM",
            "JSRT, after registration",
            apply="register at http://db.jsrt.or.jp/eng.php",
        ),
        NeededFile(NODULES, "154 cases: age, sex, place, size, nature", "JSRT, with the images"),
        NeededFile(OTHERS, "93 cases: age, sex", "JSRT, with the images"),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 247,
        "nodules": 154,
        "malignant": 100,
        "benign": 54,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a case without its image is rejected."""
        self.choice(labels)
        self.need(root)
        pictures = self.pictures(root)
        studies: list[Study] = []
        rejected: list[Rejected] = []
        for path in _tables(root):
            cases = {case.name: case for case in _cases(path)}
            image_rows = (
                ImageRow(name, name, name, pictures.find(f"{name}.png"), "frontal", case.row, 0)
                for name, case in cases.items()
            )
            found, left = self.gathered(path.name, image_rows)
            rejected += left
            studies += [_study(cases[name], members) for name, members in found.items()]
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """A nodule, a malignant one, or none."""
        name = self.choice(labels).name
        normal = LABELS["non-nodule"]
        return LabelSet(name, "", tuple(LABELS.values()), tuple(LABELS), no_finding=normal)

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """A square around each nodule, in pixels of 2048."""
        return tuple(
            Box(
                case.name,
                LABELS["nodule"],
                *(case.x - side / 2, case.y - side / 2, side, side),
                sides=(2048, 2048),
            )
            for path in _tables(root)
            for case in _cases(path)
            if (side := case.size / MILLIMETRE)
        )

    def tiny(self, folder: Path) -> None:
        """Write 14 made-up cases, eight with a nodule of which five are malignant."""
        rng = np.random.default_rng(247)
        lines: dict[str, list[str]] = {"CLNDAT_EN.txt": [], "CNNDAT_EN.TXT": []}
        for number in range(1, 15):
            nodule = number <= 8
            name = f"JPC{'L' if nodule else 'N'}N{number:03d}"
            draw(folder / "All247images" / f"{name}.png", rng, bright=nodule)
            age, sex = ("?" if number == 3 else str(40 + number)), ("male", "female")[number % 2]
            if nodule:
                nature = "malignant" if number <= 5 else "benign"
                cells = (f"{name}.IMG", "4", "14", age, sex, "1634", "692", nature)
                lines["CLNDAT_EN.txt"].append("\t".join((*cells, "l.upper lobe", "lung cancer")))
            else:
                lines["CNNDAT_EN.TXT"].append(f"{name}.IMG   {age} {sex}  non-nodule")
        for file, texts in lines.items():
            (folder / file).write_text("\n".join(texts), encoding="utf-8")


def _tables(root: Path) -> list[Path]:
    return [first(root, places, "JSRT, with the pictures") for places in (NODULES, OTHERS)]


def _cases(path: Path) -> Iterator[Case]:
    for row, line in enumerate(read_lines(path), start=1):
        cells = line.split()
        name = cells[0].rpartition(".")[0].upper()
        try:
            if name.startswith("JPCLN"):
                size, x, y = float(cells[2]), float(cells[5]), float(cells[6])
                case = Case(name, row, cells[3], cells[4].lower(), cells[7].lower(), size, x, y)
            else:
                case = Case(name, row, cells[1], cells[2].lower(), cells[3].lower())
        except (IndexError, ValueError):
            raise InputError(
                f"{path}: line {row}: not a case: {line[:60]!r}",
                "write name, subtlety, size, age, sex, x, y, nature; or name, age, sex, non-nodule",
            ) from None
        known = ("malignant", "benign") if case.size else ("non-nodule",)
        if case.nature not in known:
            raise InputError(
                f"{path}: line {row}: {case.nature!r}", did_you_mean(case.nature, known)
            )
        yield case


def _study(case: Case, image_rows: list[ImageRow]) -> Study:
    nodule = case.nature != "non-nodule"
    stated: dict[str, Stated] = {
        LABELS["nodule"]: "present" if nodule else "absent",
        LABELS["malignant"]: "present" if case.nature == "malignant" else "absent",
        LABELS["non-nodule"]: "absent" if nodule else "present",
    }
    metadata = {
        "modality": "cxr",
        "view": "PA",
        "sex": SEXES.get(case.sex, ""),
        "age": case.age if case.age.isdigit() else "",
    }
    return Study(
        study=case.name,
        patient=case.name,
        images=images(image_rows),
        stated=stated,
        dataset="jsrt",
        metadata={key: value for key, value in metadata.items() if value},
    )
