"""SIIM-ACR pneumothorax challenge 2019: 12,047 NIH X-rays with outlined pneumothoraces.

A study is one image; `-1` in the table of masks means that there is no pneumothorax, an image
with several outlines has several rows. Patients are not published: each image is its own group,
and since the images are NIH's, never train on these to test on `nih_chestxray14` or the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import Stated, Study
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._layout import Reading
from experiments.datasets._made_up import draw_dicom, write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["SIIMPneumothorax"]

TABLE = "train-rle.csv|stage_2_train.csv|siim-pneumothorax-train-rle.csv.gz"
COLUMNS = ("ImageId", "EncodedPixels")
PNEUMOTHORAX = "ckg:pneumothorax"
NONE = "-1"
SIDE = 1024
"""Rows and columns of every published image; outlines count pixels down the columns."""


class SIIMPneumothorax(Pictured):
    """The challenge's training folder: one DICOM in a folder of its study and series."""

    licence = "the Kaggle challenge's rules; pictures as NIH ChestX-ray14"
    citation = "SIIM-ACR Pneumothorax Segmentation. Kaggle (2019)."
    homepage = "https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation"
    graph_names = ("NIH",)
    label_choices = (LabelChoice("siim_pneumothorax", ("image",), "ignore"),)
    folders = ("dicom-images-train", "siim/dicom-images-train", "images")
    files = (
        NeededFile(
            "|".join(folders),
            "images: study/series/ImageId.dcm",
            "Kaggle siim-acr-pneumothorax-segmentation",
            apply="Kaggle: accept the rules of siim-acr-pneumothorax-segmentation",
        ),
        NeededFile(
            TABLE,
            "one row for each outline: image, run lengths",
            "Kaggle; where it is not here, torchxrayvision's copy is read",
            COLUMNS,
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"rows": 12_954, "pictures": 12_047, "pneumothorax": 2_669}

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; one without its image is rejected."""
        self.choice(labels)
        self.need(root)
        table = _table(root)
        stated: dict[str, dict[str, Stated]] = {}
        for name, runs in table.rows(*COLUMNS):
            said: Stated = "absent" if runs == NONE else "present"
            stated.setdefault(name, {PNEUMOTHORAX: said})
        found, rejected = self.gathered(table.path.name, self._image_rows(table, root))
        studies = [
            Study(
                study=name,
                patient=name,
                images=images(image_rows),
                stated=stated[name],
                dataset="siim_pneumothorax",
                metadata={"modality": "cxr"},
            )
            for name, image_rows in found.items()
        ]
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Pneumothorax or not."""
        name = self.choice(labels).name
        return LabelSet(name, "", (PNEUMOTHORAX,), ("Pneumothorax",))

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """The box around each outline, in pixels of 1024."""
        return tuple(_boxes(_table(root)))

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up images, four with an outline and one of these with two."""
        rng = np.random.default_rng(13)
        rows = []
        for number in range(12):
            name = f"1.2.276.0.99.{number}.1517875"
            place = folder / "dicom-images-train" / f"1.2.{number}" / f"1.3.{number}"
            draw_dicom(place / f"{name}.dcm", rng, bright=number % 3 == 0)
            runs = f"{20 * SIDE + 30} 10 {SIDE - 10} 10"
            rows += [(name, runs if number % 3 == 0 else NONE)] * (2 if number == 3 else 1)
        # The published header has a blank before the second name
        write_table(folder / "train-rle.csv", ("ImageId", " EncodedPixels"), rows)

    def _image_rows(self, table: Columns, root: Path) -> Iterator[ImageRow]:
        pictures = self.pictures(root)
        for name, place in table.firsts("ImageId").items():
            path = pictures.find(f"{name}.dcm")
            yield ImageRow(name, name, name, path, "frontal", table.numbers[place], place)


def _table(root: Path) -> Columns:
    return read_columns(table_of(root, TABLE, "siim-pneumothorax-train-rle.csv.gz"), COLUMNS)


def _boxes(table: Columns) -> Iterator[Box]:
    for row, (name, runs) in zip(table.numbers, table.rows(*COLUMNS), strict=True):
        if runs == NONE:
            continue
        try:
            numbers = np.array(runs.split(), dtype=np.int64).reshape(-1, 2)
        except ValueError:
            raise InputError(
                f"{table.path}: row {row}: EncodedPixels {runs[:40]!r}", "write pairs of numbers"
            ) from None
        # a pair is the gap since the last run and the length of the run
        ends = numbers.sum(axis=1).cumsum()
        columns, top = np.divmod(ends - numbers[:, 1], SIDE)
        last, bottom = np.divmod(ends - 1, SIDE)
        if (last > columns).any():  # a run that goes on in the next column touches both edges
            top, bottom = np.array([0]), np.array([SIDE - 1])
        left, upper = int(columns.min()), int(top.min())
        width, height = int(last.max()) - left + 1, int(bottom.max()) - upper + 1
        yield Box(name, PNEUMOTHORAX, left, upper, width, height, sides=(SIDE, SIDE))
