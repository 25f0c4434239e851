"""PadChest: 160,868 chest X-rays of 109,931 studies and 67,625 patients, with Spanish reports.

Labels name findings of the report, none is stated absent: `padchest` are the findings of the
label tree, `padchest_differential` its diagnoses; a quarter was labelled by physicians, the rest by
a model trained on them (option `labels_by`). A report is stemmed Spanish, which runs in the
default language skip. A study id that two patient ids share makes them one group.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from encoders.study import Passage, Stated, Study, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._layout import Reading
from experiments.datasets._made_up import write_table
from experiments.datasets._near_duplicates import join
from experiments.datasets._padchest_labels import concepts
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError, did_you_mean

__all__ = ["PadChest"]

NAME = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
TABLE = f"{NAME}|PADCHEST_*.csv|PADCHEST_*.csv.gz"
COLUMNS = (
    "ImageID",
    "StudyID",
    "PatientID",
    "StudyDate_DICOM",
    "PatientBirth",
    "Projection",
    "MethodLabel",
    "Labels",
    "Report",
)
METADATA_COLUMNS = {
    "PatientSex_DICOM": "sex",
    "Projection": "view",
    "Modality_DICOM": "detector",
    "Manufacturer_DICOM": "maker",
    "Columns_DICOM": "width",
    "Rows_DICOM": "height",
}
VIEWS: dict[str, View] = {
    "PA": "frontal",
    "AP": "frontal",
    "AP_horizontal": "frontal",
    "L": "lateral",
}
UNLABELLED = ("", "nan")
NO_FINDING = "ckg:no_finding"


class PadChest(Pictured):
    """BIMCV's table, and its 54 archives of images unpacked into numbered folders or one."""

    class Options(Pictured.Options):
        """Options of PadChest.

        Args:
            labels_by: `physician` leaves studies that the model labelled without labels.
        """

        labels_by: Literal["any", "physician"] = "any"

    licence = "PadChest Dataset Research Use Agreement (BIMCV); no redistribution"
    citation = (
        "Bustos A, Pertusa A, Salinas JM, de la Iglesia-Vaya M. PadChest: A large chest x-ray "
        "image dataset with multi-label annotated reports. Medical Image Analysis 2020;66:101797."
    )
    homepage = "https://bimcv.cipf.es/bimcv-projects/padchest/"
    graph_names = ("PadChest",)
    label_choices = (
        LabelChoice("padchest", ("findings",)),
        LabelChoice("padchest_differential", ("findings",)),
    )
    folders = ("images", "[0-9]", "[0-9][0-9]")
    files = (
        NeededFile(
            "|".join(folders),
            "images, 16-bit PNG",
            "BIMCV, on request",
            apply="fill in the form at https://bimcv.cipf.es/bimcv-projects/padchest/",
        ),
        NeededFile(
            TABLE,
            "one row for each image: study, patient, labels, report",
            "BIMCV, on request; where it is not here, torchxrayvision's copy is read",
            COLUMNS,
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 160_868,
        "rows of the table": 160_861,
        "studies": 109_931,
        "patients": 67_625,
        "rows labelled by physicians": 39_053,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a row without its image is rejected."""
        self.choice(labels)
        self.need(root)
        path = table_of(root, TABLE, f"{NAME}.gz")
        table = read_columns(path, COLUMNS, tuple(METADATA_COLUMNS))
        found, rejected = self.gathered(path.name, self._image_rows(table, root))
        metadata = table.metadata(METADATA_COLUMNS, modality="cxr")
        stated = self._stated(table)
        reports, ages = table["Report"], list(_ages(table))
        studies = [
            Study(
                study=name,
                patient=image_rows[0].patient,
                images=images(image_rows),
                report=_report(reports[image_rows[0].place]),
                stated=stated[image_rows[0].place],
                dataset="padchest",
                metadata=metadata[image_rows[0].place] | ages[image_rows[0].place],
            )
            for name, image_rows in found.items()
        ]
        return Reading(tuple(studies), tuple(rejected))

    def tiny(self, folder: Path) -> None:
        """Write 18 made-up studies of 12 patients, a lateral view in every third."""
        rng = np.random.default_rng(11)
        rows = []
        for number in range(18):
            kinds = ("['normal']", "['pleural effusion', ' COPD signs']", "['unchanged']")
            labels = kinds[number % 3] if number % 6 < 5 else "['pneumonia', 'cardiomegaly']"
            labels = "nan" if number == 14 else labels
            for view in ("PA", "L")[: 1 + (number % 3 == 1)]:
                name, place = f"made-up_{number}_{view}.png", number % 2
                draw(folder / str(place) / name, rng, bright=number % 3 > 0)
                who = (f"study{number}", f"patient{number % 12}", "20140915", "1950.0")
                method = "Physician" if number % 4 else "RNN_model"
                rows.append((name, *who, view, method, labels, "derram pleural .", "F", place))
        write_table(folder / NAME, (*COLUMNS, "PatientSex_DICOM", "ImageDir"), rows)

    def _image_rows(self, table: Columns, root: Path) -> Iterator[ImageRow]:
        pictures = self.pictures(root)
        pairs = list(table.rows("StudyID", "PatientID"))
        groups = join([(("padchest", study), patient) for study, patient in pairs], [])
        names = table.rows("ImageID", "Projection")
        for place, ((study, patient), (name, view)) in enumerate(zip(pairs, names, strict=True)):
            yield ImageRow(
                study=study,
                patient=groups[patient],
                name=name,
                path=pictures.find(name),
                view=VIEWS.get(view, "unknown"),
                row=table.numbers[place],
                place=place,
            )

    def unmapped(self) -> tuple[str, ...]:
        """Labels of the published tree without a concept."""
        return tuple(label for label, concept in concepts().items() if not concept)

    def _stated(self, table: Columns) -> list[dict[str, Stated]]:
        """Labels of each row by concept; equal cells share one record."""
        known: dict[str, dict[str, Stated]] = dict.fromkeys(UNLABELLED, {})
        physicians = getattr(self.options, "labels_by", "any") == "physician"
        found = []
        for row, (cell, method) in zip(
            table.numbers, table.rows("Labels", "MethodLabel"), strict=True
        ):
            if cell not in known:
                known[cell] = _present(cell, f"{table.path}: row {row}")
            found.append({} if physicians and method != "Physician" else known[cell])
        return found


def _present(cell: str, where: str) -> dict[str, Stated]:
    """Concepts of a list of labels; a study with unmapped labels alone counts as not normal."""
    try:
        names = [name.strip() for name in ast.literal_eval(cell)]
    except (ValueError, SyntaxError):
        raise InputError(f"{where}: Labels {cell!r:.40} is no list", "get it again") from None
    table = concepts()
    unknown = [name for name in names if name and name not in table]
    if unknown:
        raise InputError(f"{where}: label {unknown[0]!r}", did_you_mean(unknown[0], table))
    stated: dict[str, Stated] = {table[name]: "present" for name in names if table.get(name)}
    return stated or {NO_FINDING: "absent"}


def _report(text: str) -> tuple[Passage, ...]:
    return (Passage("findings", text, "es"),) if text.strip(" .") else ()


def _ages(table: Columns) -> Iterator[dict[str, str]]:
    """Age in years at the study, by the years of birth and study."""
    for date, birth in table.rows("StudyDate_DICOM", "PatientBirth"):
        known = date[:4].isdigit() and birth[:4].isdigit()
        yield {"age": str(int(date[:4]) - int(birth[:4]))} if known else {}
