"""VinDr-CXR (VinBigData): 18,000 frontal X-rays, 14 findings boxed by radiologists.

Kaggle's layout (`train.csv`, 15,000 images, three readers each) or PhysioNet's (`annotations/`,
with 3,000 test images read by five in consensus). Every image was read for every finding, so
a finding that no reader marked is absent. With three readers, it is present where at least
`readers` marked it and uncertain where fewer did. Patients are not published, so each image is its
own group; all views are PA. PhysioNet's further classes (`OTHERS`) are no findings of this set:
labels `vindr28` ask for all 22 local classes and six global diagnoses, from PhysioNet's tables of
whole images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import SplitSubset, Stated, Study
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets import _vindr_labels as vindr
from experiments.datasets._boxes import Box, four_numbers
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._layout import Reading, Rejected
from experiments.datasets._made_up import draw_dicom, write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._torchxrayvision import table_of
from kg.bounds import Count
from kg.errors import InputError, did_you_mean
from kg.model.graph import LabelSet

__all__ = ["VinBigData"]

TRAIN = "train.csv|train.csv.gz|annotations/annotations_train.csv|annotations_train.csv"
TEST = "annotations/annotations_test.csv|annotations_test.csv"
CORNERS = ("x_min", "y_min", "x_max", "y_max")
NO_FINDING = "ckg:no_finding"
KAGGLE = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Consolidation",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Nodule/Mass",
    "Other lesion",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
)
FINDINGS = {name: vindr.LOCAL[name] for name in KAGGLE} | {"No finding": NO_FINDING}
OTHERS = {name: concept for name, concept in vindr.LOCAL.items() if name not in KAGGLE}
"""Classes of PhysioNet's tables beside Kaggle's fourteen; coded for the study, no labels."""


class VinBigData(Pictured):
    """Kaggle's challenge folder or PhysioNet's `vindr-cxr`."""

    class Options(Pictured.Options):
        """Options of VinDr-CXR.

        Args:
            readers: Number of the three readers who must mark a finding for it to be present.
        """

        readers: Count = 1

    licence = "PhysioNet Credentialed Health Data License 1.5.0, or the Kaggle challenge's rules"
    citation = (
        "Nguyen HQ, Lam K, Le LT, et al. VinDr-CXR: An open dataset of chest X-rays with "
        "radiologist's annotations. Scientific Data 2022;9:429."
    )
    homepage = "https://physionet.org/content/vindr-cxr/"
    graph_names = ("VinBigData",)
    label_choices = (LabelChoice("vinbigdata15", ("image",)), LabelChoice("vindr28", ("image",)))
    folders = ("train", "test")
    files = (
        NeededFile(
            "|".join(folders),
            "images, DICOM named after their id",
            "PhysioNet vindr-cxr, or Kaggle vinbigdata-chest-xray-abnormalities-detection",
            apply="PhysioNet: become a credentialed user and sign the agreement of vindr-cxr",
        ),
        NeededFile(
            TRAIN,
            "one row for each finding, reader and box of the training images",
            "PhysioNet or Kaggle; where it is not here, torchxrayvision's copy is read",
            ("image_id", "class_name", *CORNERS),
            optional=True,
        ),
        NeededFile(
            TEST,
            "the same of the 3,000 test images",
            "PhysioNet vindr-cxr alone",
            ("image_id", "class_name", *CORNERS),
            optional=True,
        ),
        *(
            NeededFile(
                places,
                f"22 local classes and six global diagnoses of the {subset} images, for vindr28",
                "PhysioNet vindr-cxr alone",
                vindr.COLUMNS,
                optional=True,
            )
            for subset, places in vindr.FILES.items()
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "training pictures": 15_000,
        "test pictures": 3_000,
        "training rows": 67_914,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; one without its image is rejected."""
        self.choice(labels)
        self.need(root)
        pictures = self.pictures(root)
        needed = min(int(getattr(self.options, "readers", 1)), 3)
        whole = self._whole(root, needed) if labels == "vindr28" else None
        studies: list[Study] = []
        rejected: list[Rejected] = []
        for subset, table in self._tables(root):
            marks = _marks(table)
            image_rows = (
                ImageRow(
                    name, name, name, pictures.find(name), "frontal", table.numbers[place], place
                )
                for name, place in table.firsts("image_id").items()
            )
            found, left = self.gathered(table.path.name, image_rows)
            rejected += left
            for name, members in found.items():
                stated, coded = _stated(marks[name], needed if subset == "train" else 1)
                studies.append(
                    Study(
                        study=name,
                        patient=name,
                        images=images(members),
                        stated=stated if whole is None else whole.get(name, {}),
                        coded=coded if whole is None else {},
                        dataset="vinbigdata",
                        metadata={"modality": "cxr", "view": "PA"},
                    )
                )
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """The 28 labels of whole images; the graph has Kaggle's."""
        return vindr.label_set() if self.choice(labels).name == "vindr28" else None

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study by its table; empty for Kaggle's layout (secret test labels)."""
        tables = dict(self._tables(root))
        if "test" not in tables:
            return {}
        return {name: subset for subset, table in tables.items() for name in table["image_id"]}

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """Every box of every reader, in pixels of the published image."""
        return tuple(box for _, table in self._tables(root) for box in _boxes(table))

    def tiny(self, folder: Path) -> None:
        """Write 16 made-up images in PhysioNet's layout, 12 read by three and 4 in consensus."""
        rng = np.random.default_rng(15)
        for subset, count, readers in (("train", 12, ("R8", "R9", "R10")), ("test", 4, ("",))):
            rows = []
            for number in range(count):
                name = f"{number + 16 * (subset == 'test'):032x}"
                draw_dicom(folder / subset / f"{name}.dicom", rng, bright=number % 2 == 0)
                for place, reader in enumerate(readers):
                    box: tuple[object, ...] = (20, 16, 44, 32)
                    finding = ("Cardiomegaly", "No finding")[number % 2]
                    if finding == "Cardiomegaly" and place == 2:
                        finding = ("Lung cyst", "Pleural effusion")[number // 2 % 2]
                    corners = box if finding != "No finding" else ("", "", "", "")
                    rows.append((name, reader, finding, *corners))
            header = ("image_id", "rad_id", "class_name", *CORNERS)
            write_table(folder / "annotations" / f"annotations_{subset}.csv", header, rows)
            _write_whole(folder, subset, rows)

    def _whole(self, root: Path, needed: int) -> dict[str, dict[str, Stated]]:
        """Labels of whole images.

        Raises:
            InputError: If neither of PhysioNet's tables is here.
        """
        found = vindr.image_labels(root, needed)
        if not found:
            place = vindr.FILES["train"].split("|")[0]
            raise InputError(f"{root / place}: not found", "get it, or choose vinbigdata15")
        return found

    def _tables(self, root: Path) -> Iterator[tuple[SplitSubset, Columns]]:
        columns = ("image_id", "class_name", *CORNERS)
        train = table_of(root, TRAIN, "vinbigdata-train.csv.gz")
        yield "train", read_columns(train, columns, ("rad_id",))
        for place in TEST.split("|"):
            if (root / place).is_file():
                yield "test", read_columns(root / place, columns, ("rad_id",))
                return


def _write_whole(folder: Path, subset: str, marks: Sequence[tuple[object, ...]]) -> None:
    """Labels of whole made-up images: the marked class of each reader, and pneumonia with it."""
    other = "Other diseases" if subset == "train" else "Other disease"
    names = (*vindr.LOCAL, *(name for name in vindr.GLOBAL if name != "Other diseases"), other)
    rows = []
    for picture, reader, finding, *_ in marks:
        said = {finding} | ({"Pneumonia", other} if finding == "Cardiomegaly" else set())
        cells = [int(name in said) for name in names]
        rows.append((picture, *((reader,) if subset == "train" else ()), *cells))
    header = ("image_id", *(("rad_id",) if subset == "train" else ()), *names)
    write_table(folder / "annotations" / f"image_labels_{subset}.csv", header, rows)


def _marks(table: Columns) -> dict[str, dict[str, set[str]]]:
    """Readers who marked each concept in each image."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = zip(table["image_id"], table["class_name"], table.get("rad_id"), strict=True)
    for place, (name, finding, reader) in enumerate(rows):
        found[name][_concept(finding, table, place)].add(reader)
    return found


def _concept(finding: str, table: Columns, place: int) -> str:
    concept = FINDINGS.get(finding) or OTHERS.get(finding)
    if concept is None:
        raise InputError(
            f"{table.path}: row {table.numbers[place]}: class_name {finding!r}",
            did_you_mean(finding, (*FINDINGS, *OTHERS)),
        )
    return concept


def _stated(
    marks: Mapping[str, set[str]], needed: int
) -> tuple[dict[str, Stated], dict[str, Stated]]:
    """Labels of an image by its readers, for the findings of the set and further classes."""
    stated: dict[str, Stated] = {}
    coded: dict[str, Stated] = {}
    for concept, readers in marks.items():
        value: Stated = "present" if len(readers) >= needed else "uncertain"
        if concept not in FINDINGS.values():
            coded[concept] = value
        elif concept != NO_FINDING:
            stated[concept] = value
    seen = {*stated.values(), *coded.values()}
    stated[NO_FINDING] = "absent" if "present" in seen else "uncertain" if seen else "present"
    return stated, coded


def _boxes(table: Columns) -> Iterator[Box]:
    rows = table.rows("image_id", "class_name", *CORNERS)
    for place, ((name, finding, *corners), reader) in enumerate(
        zip(rows, table.get("rad_id"), strict=True)
    ):
        if not any(corners):
            continue
        where = f"{table.path}: row {table.numbers[place]}"
        left, top, right, bottom = four_numbers(corners, where)
        concept = _concept(finding, table, place)
        yield Box(name, concept, left, top, right - left, bottom - top, reader)
