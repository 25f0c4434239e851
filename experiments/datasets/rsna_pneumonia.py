"""RSNA pneumonia challenge 2018: 26,684 NIH X-rays read again by radiologists, opacities boxed.

Labels: `rsna_pneumonia` is pneumonia (`Target`: an opacity suspicious of it was boxed), `rsna3`
one of three classes (lung opacity; neither normal nor an opacity; normal). A study is
one image. The challenge hides patients: with RSNA's mapping to NIH names the NIH patient is the
group; without it each image is its own group, and a split may separate images of a patient.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import Stated, Study, View
from experiments.datasets import Download, LabelChoice, NeededFile
from experiments.datasets._boxes import Box, four_numbers
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._layout import Reading, first
from experiments.datasets._made_up import draw_dicom, write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError, did_you_mean
from kg.files.json_text import json_in
from kg.model.graph import LabelSet

__all__ = ["RSNAPneumonia"]

LABELS = "stage_2_train_labels.csv|stage_2_train_labels.csv.zip"
CLASSES = "stage_2_detailed_class_info.csv|stage_2_detailed_class_info.csv.zip"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
HEADERS = "kaggle_stage_2_train_images_dicom_headers.csv.gz"
BOX = ("x", "y", "width", "height")
METADATA_COLUMNS = {"PatientSex": "sex", "PatientAge": "age", "ViewPosition": "view"}
VIEWS: dict[str, View] = {"PA": "frontal", "AP": "frontal"}
PNEUMONIA = "ckg:pneumonia"
RSNA3 = {
    "Lung Opacity": "ckg:lung_opacity",
    "No Lung Opacity / Not Normal": "ckg:no_lung_opacity_not_normal",
    "Normal": "ckg:no_finding",
}
KAGGLE = "Kaggle rsna-pneumonia-detection-challenge"
APPLY = "Kaggle: accept the rules of rsna-pneumonia-detection-challenge with an account"


class RSNAPneumonia(Pictured):
    """Kaggle's second stage: training images (the test images have no published labels)."""

    licence = "the Kaggle challenge's rules; pictures as NIH ChestX-ray14"
    citation = (
        "Shih G, Wu CC, Halabi SS, et al. Augmenting the National Institutes of Health chest "
        "radiograph dataset with expert annotations of possible pneumonia. Radiology: "
        "Artificial Intelligence 2019;1:e180041."
    )
    homepage = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge"
    graph_names = ("NIH",)
    label_choices = (
        LabelChoice("rsna_pneumonia", ("image",), "ignore"),
        LabelChoice("rsna3", ("image",), "ignore"),
    )
    folders = ("stage_2_train_images", "images")
    files = (
        NeededFile("|".join(folders), "images: patientId.dcm", KAGGLE, apply=APPLY),
        NeededFile(
            LABELS,
            "one row for each box: image, corners, target",
            f"{KAGGLE}; where it is not here, torchxrayvision's copy is read",
            ("patientId", *BOX, "Target"),
            optional=True,
        ),
        NeededFile(
            CLASSES,
            "class of each image, for label choice rsna3",
            KAGGLE,
            ("patientId", "class"),
            optional=True,
            apply=APPLY,
        ),
        NeededFile(
            MAPPING,
            "NIH name of each image, which tells the patient",
            "RSNA",
            optional=True,
            downloads=(
                Download(
                    f"https://s3.amazonaws.com/east1.public.rsna.org/AI/2018/{MAPPING}",
                    "sha256:803ce79e3bc9c66d3631738e91e62e1175730e98ad1415e8dc4d6292ba10bf27",
                ),
            ),
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 26_684,
        "rows": 30_227,
        "pneumonia": 6_012,
        "boxes": 9_555,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; one without its image is rejected."""
        self.choice(labels)
        self.need(root)
        table = _labels(root)
        path = table_of(root, HEADERS, HEADERS)
        headers = read_columns(path, ("PatientID",), tuple(METADATA_COLUMNS))
        rows = headers.metadata(METADATA_COLUMNS, modality="cxr")
        metadata = dict(zip(headers["PatientID"], rows, strict=True))
        stated = _targets(table) if labels == "rsna_pneumonia" else _classes(root)
        found, rejected = self.gathered(table.path.name, self._image_rows(table, root, metadata))
        studies = [
            Study(
                study=name,
                patient=image_rows[0].patient,
                images=images(image_rows[:1]),
                stated=stated.get(name, {}),
                dataset="rsna_pneumonia",
                metadata=metadata.get(name, {"modality": "cxr"}),
            )
            for name, image_rows in found.items()
        ]
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Pneumonia or not, or three classes of which exactly one holds."""
        if self.choice(labels).name == "rsna_pneumonia":
            return LabelSet("rsna_pneumonia", "", (PNEUMONIA,), ("Target",))
        return LabelSet(
            name="rsna3",
            concept="ckg:label_set_rsna_pneumonia",
            findings=tuple(RSNA3.values()),
            columns=tuple(RSNA3),
            exclusive=True,
            no_finding=RSNA3["Normal"],
        )

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """The boxes around opacities, in pixels of 1024."""
        return tuple(_boxes(_labels(root)))

    def tiny(self, folder: Path) -> None:
        """Write 15 made-up images of 10 NIH patients, some with two boxes."""
        rng = np.random.default_rng(18)
        rows, classes, headers, mapping = [], [], [], []
        for number in range(15):
            name, kind = f"{number:08d}-made-up", list(RSNA3)[number % 3]
            draw_dicom(folder / "stage_2_train_images" / f"{name}.dcm", rng, bright=number % 3 == 0)
            boxes = [(10, 12, 20, 16, 1), (40, 12, 12, 16, 1)][: 1 + number % 2]
            for cells in boxes if kind == "Lung Opacity" else [("", "", "", "", 0)]:
                rows.append((name, *cells))
                classes.append((name, kind))
            headers.append((name, "F", 50, "PA" if number % 2 else "AP"))
            mapping.append({"subset_img_id": name, "img_id": f"{number % 10:08d}_{number:03d}.png"})
        write_table(folder / "stage_2_train_labels.csv", ("patientId", *BOX, "Target"), rows)
        write_table(folder / "stage_2_detailed_class_info.csv", ("patientId", "class"), classes)
        write_table(folder / HEADERS, ("PatientID", *METADATA_COLUMNS), headers)
        (folder / MAPPING).write_text(json.dumps(mapping), encoding="utf-8")

    def _image_rows(
        self, table: Columns, root: Path, metadata: dict[str, dict[str, str]]
    ) -> Iterator[ImageRow]:
        pictures = self.pictures(root)
        patients = _patients(root / MAPPING)
        for name, place in table.firsts("patientId").items():
            yield ImageRow(
                study=name,
                patient=patients.get(name, name),
                name=name,
                path=pictures.find(f"{name}.dcm"),
                view=VIEWS.get(metadata.get(name, {}).get("view", ""), "unknown"),
                row=table.numbers[place],
                place=place,
            )


def _labels(root: Path) -> Columns:
    path = table_of(root, LABELS, "kaggle_stage_2_train_labels.csv.zip")
    return read_columns(path, ("patientId", *BOX, "Target"))


def _targets(table: Columns) -> dict[str, dict[str, Stated]]:
    """Pneumonia or not, by image; an image has one row for each of its boxes."""
    stated = table.stated({"Target": PNEUMONIA})
    found: dict[str, dict[str, Stated]] = {}
    for place, (name, said) in enumerate(zip(table["patientId"], stated, strict=True)):
        if found.setdefault(name, said) != said:
            raise InputError(
                f"{table.path}: row {table.numbers[place]}: Target of {name} differs from an "
                "earlier row",
                "all rows of an image have one target",
            )
    return found


def _classes(root: Path) -> dict[str, dict[str, Stated]]:
    """The class of each image present, the two others absent."""
    path = first(root, CLASSES, f"{APPLY}, or choose labels rsna_pneumonia")
    table = read_columns(path, ("patientId", "class"))
    found: dict[str, dict[str, Stated]] = {}
    for row, (name, kind) in zip(table.numbers, table.rows("patientId", "class"), strict=True):
        if kind not in RSNA3:
            raise InputError(f"{table.path}: row {row}: class {kind!r}", did_you_mean(kind, RSNA3))
        found[name] = {
            concept: "present" if column == kind else "absent" for column, concept in RSNA3.items()
        }
    return found


def _patients(path: Path) -> dict[str, str]:
    """NIH patient of each image; empty without the mapping."""
    if not path.is_file():
        return {}
    try:
        rows = json_in(path)
        return {row["subset_img_id"]: "nih:" + row["img_id"].split("_")[0] for row in rows}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not RSNA's mapping: {error!r}", "get the file again") from None


def _boxes(table: Columns) -> Iterator[Box]:
    for row, (name, *cells) in zip(table.numbers, table.rows("patientId", *BOX), strict=True):
        if not any(cells):
            continue
        box = four_numbers(cells, f"{table.path}: row {row}")
        yield Box(name, RSNA3["Lung Opacity"], *box, sides=(1024, 1024))
