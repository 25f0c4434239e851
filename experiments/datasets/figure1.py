"""Figure 1 COVID-19: 55 chest X-rays of as many patients with short notes; an external test set.

Finding COVID-19 is present, any other written finding absent, an empty one not stated.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._covid_labels import covid
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._near_duplicates import join, published, read_pairs
from experiments.datasets._pictures import Pictures, draw
from experiments.datasets._sizes import Sizes
from experiments.datasets._tables import Row, read_table, unique

__all__ = ["Figure1"]

COLUMNS = ("patientid", "sex", "age", "finding", "view", "modality", "notes")
VIEWS: dict[str, View] = {"AP": "frontal", "AP erect": "frontal", "PA": "frontal", "L": "lateral"}


class Figure1(Layout):
    """The repository's layout: `metadata.csv` (Windows-1252 text) and `images/`."""

    licence = "none stated in the repository"
    citation = "Chung A. Figure 1 COVID-19 chest X-ray dataset initiative. GitHub (2020)."
    homepage = "https://github.com/agchung/Figure1-COVID-chestxray-dataset"
    modalities: ClassVar[tuple[Modality, ...]] = ("cxr",)
    label_choices = (LabelChoice("covid", ("record", "note"), "ignore"),)
    files = (
        NeededFile("metadata.csv", "one row for each image", "in the repository", COLUMNS),
        NeededFile("images", "images named after the patient", "in the repository"),
    )
    expected: ClassVar[dict[str, int]] = {"studies": 55, "pictures": 55}

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a row without its image is rejected."""
        self.choice(labels)
        self.need(root)
        rows = unique(
            read_table(root / "metadata.csv", COLUMNS, encodings=("utf-8-sig", "cp1252")),
            "patientid",
        )
        pictures = Pictures(root, ["images"])
        found = {patient: pictures.find(patient) for patient in rows}
        owners = [(("figure1", published(path)), name) for name, path in found.items() if path]
        groups = join(owners, read_pairs(root))
        sizes = Sizes(root)
        studies = [
            _study(row, path, groups[name], sizes)
            for name, row in rows.items()
            if (path := found[name]) is not None
        ]
        rejected = [
            Rejected("metadata.csv", row.number, "picture not found", name)
            for name, row in rows.items()
            if found[name] is None
        ]
        return Reading(tuple(studies), tuple(rejected))

    def tiny(self, folder: Path) -> None:
        """Write 10 made-up patients."""
        rng = np.random.default_rng(1)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "metadata.csv").open("w", encoding="cp1252", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(COLUMNS)
            for number in range(10):
                finding = ("COVID-19", "Pneumonia", "")[number % 3]
                name = f"made-up-{number}"
                note = f"Temperature 38.{number}°C."
                writer.writerow((name, "F", 40 + number, finding, "PA", "X-ray", note))
                draw(folder / "images" / f"{name}.png", rng, bright=finding == "COVID-19")


def _study(row: Row, path: str, group: str, sizes: Sizes) -> Study:
    stated: dict[str, Stated] = {}
    if row["finding"]:
        stated = covid("present" if "COVID-19" in row["finding"] else "absent")
    metadata = {
        "modality": "cxr",
        "view": row["view"],
        "sex": row["sex"],
        "age": row["age"],
        **sizes.metadata(path),
    }
    return Study(
        study=row["patientid"],
        patient=group,
        images=(StudyImage(path, "cxr", VIEWS.get(row["view"], "unknown")),),
        report=(Passage("note", row["notes"]),) if row["notes"] else (),
        stated=stated,
        dataset="figure1",
        metadata={key: value for key, value in metadata.items() if value},
    )
