"""NIH ChestX-ray14: 112,120 frontal X-rays of 30,805 patients, labels mined from unseen reports.

Labels: `nih14` are the mined labels (a finding that is not listed is absent, `No Finding` stands
alone); `nih_google4` are four findings that radiologists read again in 4,374 of the images, the
others unlabelled. A study is one image. The official list divides patients into training and
test; validation is taken from training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import SplitSubset, Stated, Study, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box, four_numbers
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._label_columns import NIH14
from experiments.datasets._layout import Reading
from experiments.datasets._made_up import write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw, stem
from experiments.datasets._tables import open_table, read_lines
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError, did_you_mean
from kg.files.tables import cells_of
from kg.model.graph import LabelSet

__all__ = ["NIHChestXray14"]

TABLE = "Data_Entry_2017_v2020.csv|Data_Entry_2017.csv|Data_Entry_2017*.csv|Data_Entry_2017*.csv.gz"
REREAD = (
    "google2019_nih-chest-xray-labels.csv|google2019_nih-chest-xray-labels.csv.gz"
    "|four_findings_expert_labels_test_labels.csv|four_findings_expert_labels_validation_labels.csv"
)
BOXES = "BBox_List_2017.csv|BBox_List_2017.csv.gz"
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
METADATA_COLUMNS = {
    "Patient Gender": "sex",
    "Patient Sex": "sex",
    "Patient Age": "age",
    "View Position": "view",
    "OriginalImage[Width": "width",
    "Height]": "height",
}
LABELS = {name: concept for name, concept in NIH14.items() if name != "normal"} | {
    "No Finding": "ckg:no_finding"
}
SPELLINGS = {"Infiltrate": "Infiltration", "Pleural Thickening": "Pleural_Thickening"}
GOOGLE4 = {
    "Fracture": "ckg:fracture",
    "Pneumothorax": "ckg:pneumothorax",
    "Airspace opacity": "ckg:airspace_opacity",
    "Nodule or mass": "ckg:nodule_mass",
}
ANSWERS: dict[str, Stated] = {"YES": "present", "NO": "absent"}
SPLIT: dict[str, SplitSubset] = {"train_val_list.txt": "train", "test_list.txt": "test"}
BOX_NUMBERS = slice(2, 6)


class NIHChestXray14(Pictured):
    """The collection in the layout of NIH's box folder; tables also from torchxrayvision."""

    licence = "no restriction on use; NIH Clinical Center to be named and linked"
    citation = (
        "Wang X, Peng Y, Lu L, et al. ChestX-ray8: Hospital-scale chest X-ray database and "
        "benchmarks. CVPR 2017. Read again: Majkowska A, et al. Radiology 2020;294:421-431."
    )
    homepage = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
    graph_names = ("NIH",)
    label_choices = (
        LabelChoice("nih14", ("findings", "impression")),
        LabelChoice("nih_google4", ("image",), "ignore"),
    )
    folders = ("images", "images_0[01][0-9]")
    files = (
        NeededFile("|".join(folders), "images of 1024 pixels", "NIH's box folder, images_*.tar.gz"),
        NeededFile(
            TABLE,
            "labels, patient, age, sex and view of each image",
            "NIH's box folder; where it is not here, torchxrayvision's copy is read",
            COLUMNS,
            optional=True,
        ),
        NeededFile("train_val_list.txt", "the official split", "NIH's box folder", optional=True),
        NeededFile("test_list.txt", "the official split", "NIH's box folder", optional=True),
        NeededFile(
            BOXES,
            "984 boxes in 880 images",
            "NIH's box folder; where it is not here, torchxrayvision's copy is read",
            optional=True,
        ),
        NeededFile(
            REREAD,
            "radiologists' reading of four findings",
            "Google Cloud Healthcare API, NIH chest X-ray labels; else torchxrayvision's copy",
            ("Image Index", *GOOGLE4),
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 112_120,
        "patients": 30_805,
        "train": 86_524,
        "test": 25_596,
        "boxes": 984,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; a row without its image is rejected."""
        self.choice(labels)
        self.need(root)
        table = read_columns(
            table_of(root, TABLE, "Data_Entry_2017_v2020.csv.gz"),
            COLUMNS,
            tuple(METADATA_COLUMNS),
        )
        stated = _mined(table) if labels == "nih14" else _reread(root)
        found, rejected = self.gathered(table.path.name, self._image_rows(table, root))
        metadata = table.metadata(METADATA_COLUMNS, modality="cxr")
        studies = [
            Study(
                study=name,
                patient=image_rows[0].patient,
                images=images(image_rows),
                stated=stated.get(name, {}),
                dataset="nih_chestxray14",
                metadata=metadata[image_rows[0].place],
            )
            for name, image_rows in found.items()
        ]
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """The four findings read again; the graph has the mined fourteen."""
        if self.choice(labels).name != "nih_google4":
            return None
        return LabelSet("nih_google4", "", tuple(GOOGLE4.values()), tuple(GOOGLE4))

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Training and test subset by the two lists; empty without them."""
        if not any((root / name).is_file() for name in SPLIT):
            return {}
        return {
            stem(line): subset for name, subset in SPLIT.items() for line in read_lines(root / name)
        }

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """The boxes radiologists drew around eight findings, in pixels of 1024."""
        return tuple(_boxes(table_of(root, BOXES, "BBox_List_2017.csv.gz")))

    def tiny(self, folder: Path) -> None:
        """Write 24 made-up images of 12 patients in two folders, with lists, boxes, readings."""
        rng = np.random.default_rng(14)
        rows, reread, marks = [], [], []
        listed: dict[str, list[str]] = {name: [] for name in SPLIT}
        for number in range(24):
            patient, follow_up = number // 2 + 1, number % 2
            name = f"{patient:08d}_{follow_up:03d}.png"
            findings = ("No Finding", "Effusion|Hernia", "Effusion", "Pleural_Thickening")
            finding, place = findings[number % 4], folder / f"images_{number % 2 + 1:03d}"
            draw(place / "images" / name, rng, bright=finding != "No Finding")
            person = (patient, 50, "FM"[patient % 2], "PA" if number % 3 else "AP")
            rows.append((name, finding, follow_up, *person, 64, 48, 1, 1))
            listed["test_list.txt" if patient % 3 == 0 else "train_val_list.txt"].append(name)
            if number % 2:
                reread.append((name, *(("YES", "NO")[(number + at) % 2] for at in range(4))))
            if "Effusion" in finding:
                marks.append((name, "Effusion", 10, 12, 20, 16, "", "", ""))
        header = (*COLUMNS[:2], "Follow-up #", *COLUMNS[2:4], "Patient Gender", COLUMNS[4])
        # The published header has commas inside its brackets and is not quoted
        size = ("OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]")
        write_table(folder / "Data_Entry_2017_v2020.csv", (*header, *size), rows)
        write_table(
            folder / "google2019_nih-chest-xray-labels.csv", ("Image Index", *GOOGLE4), reread
        )
        box = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", "")
        write_table(folder / "BBox_List_2017.csv", box, marks)
        for name, lines in listed.items():
            (folder / name).write_text("\n".join(lines), encoding="utf-8")

    def _image_rows(self, table: Columns, root: Path) -> Iterator[ImageRow]:
        pictures = self.pictures(root)
        rows = table.rows("Image Index", "Patient ID", "View Position")
        views: dict[str, View] = {"PA": "frontal", "AP": "frontal"}
        for place, (name, patient, view) in enumerate(rows):
            yield ImageRow(
                study=stem(name),
                patient=patient,
                name=name,
                path=pictures.find(name),
                view=views.get(view, "unknown"),
                row=table.numbers[place],
                place=place,
            )


def _mined(table: Columns) -> dict[str, dict[str, Stated]]:
    """Findings listed as present, by study; the same labels share one record."""
    known: dict[str, dict[str, Stated]] = {}
    for place, cell in enumerate(table["Finding Labels"]):
        if cell not in known:
            known[cell] = {
                _concept(name, table.path, table.numbers[place]): "present"
                for name in cell.split("|")
            }
    pairs = zip(table["Image Index"], table["Finding Labels"], strict=True)
    return {stem(name): known[cell] for name, cell in pairs}


def _concept(name: str, path: Path, row: int) -> str:
    finding = SPELLINGS.get(name, name)
    if finding not in LABELS:
        raise InputError(f"{path}: row {row}: finding {name!r}", did_you_mean(finding, LABELS))
    return LABELS[finding]


def _reread(root: Path) -> dict[str, dict[str, Stated]]:
    """Labels of the four findings by radiologists, by study."""
    paths = [root / place for place in REREAD.split("|") if (root / place).is_file()]
    found: dict[str, dict[str, Stated]] = {}
    for path in paths or [table_of(root, REREAD, "google2019_nih-chest-xray-labels.csv.gz")]:
        table = read_columns(path, ("Image Index", *GOOGLE4))
        for row, (name, *answers) in zip(
            table.numbers, table.rows("Image Index", *GOOGLE4), strict=True
        ):
            wrong = [answer for answer in answers if answer not in ANSWERS]
            if wrong:
                raise InputError(f"{path}: row {row}: {wrong[0]!r} is no answer", "write YES or NO")
            found[stem(name)] = {
                concept: ANSWERS[answer]
                for concept, answer in zip(GOOGLE4.values(), answers, strict=True)
            }
    return found


def _boxes(path: Path) -> Iterator[Box]:
    # Read here: the published header names three columns more than the copies have cells
    with open_table(path) as lines:
        text = (line.decode("utf-8-sig", errors="replace") for line in lines)
        for number, row in cells_of(text, path.name):
            if number == 1 or not row:
                continue
            box = four_numbers(row[BOX_NUMBERS], f"{path}: row {number}")
            yield Box(stem(row[0]), _concept(row[1], path, number), *box, sides=(1024, 1024))
