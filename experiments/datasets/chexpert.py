"""CheXpert: 224,316 chest X-rays of 65,240 patients, labels read from unpublished reports.

Training labels are a labeler's: 1, 0, -1 uncertain, blank not mentioned (taken as absent unless a
configuration says otherwise). The 200 studies of `valid.csv` and the 500 of the test table were
labelled by radiologists from the image. A study is a patient's visit, with all its views; ids are
`patient00001/study1`. The three tables are the official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import SplitSubset, Stated, Study, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._label_columns import CHEXPERT14
from experiments.datasets._layout import Reading, Rejected
from experiments.datasets._made_up import write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw
from experiments.datasets._torchxrayvision import shipped
from kg.errors import InputError

__all__ = ["CheXpert"]

PREFIXES = ("", "CheXpert-v1.0-small/", "CheXpert-v1.0/")
TABLES: dict[SplitSubset, tuple[str, ...]] = {
    "train": ("train.csv", "train.csv.gz"),
    "validation": ("valid.csv", "val_labels.csv"),
    "test": ("test_labels.csv", "test.csv", "groundtruth.csv"),
}
METADATA_COLUMNS = {"Sex": "sex", "Age": "age", "AP/PA": "view"}
VIEWS: dict[str, View] = {"Frontal": "frontal", "Lateral": "lateral"}
_NAME = re.compile(r"(patient\d+)/(study\d+)/view\d+_(frontal|lateral)")


def _places(subset: SplitSubset) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in PREFIXES for name in TABLES[subset])


class CheXpert(Pictured):
    """The published folders in full or small size, or in the batches of Stanford AIMI."""

    licence = "Stanford University Dataset Research Use Agreement; no redistribution"
    citation = (
        "Irvin J, Rajpurkar P, Ko M, et al. CheXpert: A large chest radiograph dataset with "
        "uncertainty labels and expert comparison. AAAI 2019. Test labels: Saporta A, et al. "
        "Nature Machine Intelligence 2022;4:867-878."
    )
    homepage = "https://stanfordmlgroup.github.io/competitions/chexpert/"
    graph_names = ("CheXpert",)
    label_choices = (LabelChoice("chexpert14", ("findings", "impression")),)
    folders = ("train", "valid", "val", "test", "CheXpert-v1.0*")
    files = (
        NeededFile(
            "|".join(folders),
            "images: patientN/studyN/viewN_*.jpg",
            "Stanford AIMI, on request",
            apply="register for CheXpert at https://stanfordaimi.azurewebsites.net and agree",
        ),
        NeededFile(
            "|".join(_places("train")),
            "labels of 187,641 studies, by a labeler",
            "Stanford AIMI; where it is not here, torchxrayvision's copy is read",
            ("Path", *CHEXPERT14),
            optional=True,
        ),
        NeededFile(
            "|".join(_places("validation")),
            "labels of 200 studies, by three radiologists",
            "Stanford AIMI",
            ("Path", *CHEXPERT14),
            optional=True,
        ),
        NeededFile(
            "|".join(_places("test")),
            "labels of 500 studies, by five radiologists",
            "Stanford AIMI, CheXlocalize",
            ("Path", *CHEXPERT14),
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 224_316,
        "patients": 65_240,
        "train studies": 187_641,
        "validation studies": 200,
        "test studies": 500,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a row without its image is rejected."""
        self.choice(labels)
        self.need(root)
        places = self._by_visit(root)
        studies: list[Study] = []
        rejected: list[Rejected] = []
        for path in _tables(root).values():
            table = read_columns(path, ("Path", *CHEXPERT14), tuple(METADATA_COLUMNS))
            found, left = self.gathered(path.name, _image_rows(table, places))
            stated = table.stated(CHEXPERT14)
            metadata = table.metadata(METADATA_COLUMNS, modality="cxr")
            rejected += left
            studies += [
                _study(image_rows, table, stated, metadata) for image_rows in found.values()
            ]
        return Reading(tuple(studies), tuple(rejected))

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study by its table; empty if there is nothing to test.

        Without the test table, which came three years later, the 200 validation studies are the
        test subset, as in papers until then.
        """
        tables = _tables(root)
        if "validation" in tables and "test" not in tables:
            tables["test"] = tables.pop("validation")
        if "test" not in tables:
            return {}
        subsets: dict[str, SplitSubset] = {}
        for subset, path in tables.items():
            names = read_columns(path, ("Path",))["Path"]
            subsets |= dict.fromkeys((_visit(name) for name in names), subset)
        return subsets

    def tiny(self, folder: Path) -> None:
        """Write 24 made-up studies of 20 patients over the three tables, some with two views."""
        rng = np.random.default_rng(5)
        header = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CHEXPERT14)
        for subset, count in (("train", 16), ("valid", 4), ("test", 4)):
            rows = []
            for number in range(count):
                patient = {"train": 1, "valid": 64541, "test": 64741}[subset] + number * 3 // 4
                visit = f"patient{patient:05d}/study{1 + (number % 4 == 1)}"
                cells = _made_up_labels(number, certain=subset != "train")
                for view in ("frontal", "lateral")[: 1 + number % 2]:
                    name = f"{subset}/{visit}/view{1 + (view == 'lateral')}_{view}.jpg"
                    draw(folder / name, rng, bright=number % 3 == 0)
                    values = ("Female", 60, view.title(), "AP" if view == "frontal" else "")
                    shown = (f"CheXpert-v1.0-small/{name}", *values, *cells)
                    rows.append(shown if subset != "test" else (name, *cells))
            columns = header if subset != "test" else ("Path", *CHEXPERT14)
            table = "test_labels.csv" if subset == "test" else f"{subset}.csv"
            write_table(folder / table, columns, rows)

    def _by_visit(self, root: Path) -> dict[str, str]:
        """Path of each image by patient, visit and view, which are the same in every release."""
        found: dict[str, str] = {}
        for place in self.pictures(root).all():
            match = _NAME.search(place)
            if match and match[0] in found:
                raise InputError(
                    f"{root}: the image {match[0]} is there twice: {found[match[0]]} and {place}",
                    "keep one release under the root",
                )
            if match:
                found[match[0]] = place
        return found


def _tables(root: Path) -> dict[SplitSubset, Path]:
    """The tables found; torchxrayvision's copy stands in for a missing training table."""
    found: dict[SplitSubset, Path] = {}
    for subset in TABLES:
        there = [root / place for place in _places(subset) if (root / place).is_file()]
        if there:
            found[subset] = there[0]
        elif subset == "train":
            found[subset] = shipped("chexpert_train.csv.gz")
    return found


def _image_rows(table: Columns, places: Mapping[str, str]) -> Iterator[ImageRow]:
    for place, name in enumerate(table["Path"]):
        match = _NAME.search(name)
        if match is None:
            raise InputError(
                f"{table.path}: row {table.numbers[place]}: Path {name!r} names no patient",
                "paths end in patient00001/study1/view1_frontal.jpg",
            )
        yield ImageRow(
            study=f"{match[1]}/{match[2]}",
            patient=match[1],
            name=match[0],
            path=places.get(match[0]),
            view=VIEWS[match[3].title()],
            row=table.numbers[place],
            place=place,
        )


def _visit(name: str) -> str:
    match = _NAME.search(name)
    return f"{match[1]}/{match[2]}" if match else name


def _study(
    image_rows: list[ImageRow],
    table: Columns,
    stated: list[dict[str, Stated]],
    metadata: list[dict[str, str]],
) -> Study:
    first = image_rows[0]
    for image_row in image_rows:
        if stated[image_row.place] != stated[first.place]:
            raise InputError(
                f"{table.path}: rows {first.row} and {image_row.row} differ on study {first.study}",
                "labels are of a study: write the same in each of its rows",
            )
    return Study(
        study=first.study,
        patient=first.patient,
        images=images(image_rows),
        stated=stated[first.place],
        dataset="chexpert",
        metadata=metadata[first.place],
    )


def _made_up_labels(number: int, *, certain: bool) -> list[str]:
    """A row of labels: No Finding alone, or an effusion with an uncertain finding."""
    cells = dict.fromkeys(CHEXPERT14, "0.0" if certain else "")
    if number % 3:
        cells["No Finding"] = "1.0"
    else:
        cells["Pleural Effusion"] = "1.0"
        cells["Edema"] = "0.0" if certain else "-1.0"
        cells["Cardiomegaly"] = "0.0"
    return list(cells.values())
