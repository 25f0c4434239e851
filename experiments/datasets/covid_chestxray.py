"""COVID-19 image data collection: chest X-ray and CT images from papers, with clinical notes.

A study is the images of one patient, on one day and of one modality. Rules for *COVID-19 or
not*: a finding that names COVID-19 is present; SARS, like every other named finding, is absent;
a row whose finding is `todo` is left out; a `No Finding` image of a patient who has COVID-19 in
another image is uncertain (before, after or missed: the collection does not say). Patients who
share an image, or a near-duplicate of one, are one group.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np

from encoders.study import Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Region
from experiments.datasets._covid_labels import covid
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._near_duplicates import join, published, read_pairs
from experiments.datasets._pictures import Pictures, draw
from experiments.datasets._sizes import Sizes
from experiments.datasets._tables import Row, read_table
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["CovidChestXray"]

COLUMNS = tuple(
    [
        "patientid",
        "offset",
        "sex",
        "age",
        "finding",
        "view",
        "modality",
        "date",
        "location",
        "folder",
        "filename",
        "doi",
        "url",
    ]
) + ("clinical_notes", "other_notes")
LUNGS = "annotations/imageannotation_ai_lung_bounding_boxes.json"
MODALITIES: dict[str, Modality] = {"X-ray": "cxr", "CT": "ct"}
VIEWS: dict[str, View] = {
    "PA": "frontal",
    "AP": "frontal",
    "AP Supine": "frontal",
    "AP semi erect": "frontal",
    "AP erect": "frontal",
    "L": "lateral",
    "Axial": "axial",
}


class CovidChestXray(Layout):
    """The collection in the layout of its repository: `metadata.csv` and `images/`."""

    licence = "per picture (column license); metadata.csv CC BY-NC-SA 4.0"
    citation = (
        "Cohen JP, Morrison P, Dao L, et al. COVID-19 Image Data Collection: Prospective "
        "Predictions Are the Future. arXiv:2006.11988 (2020)."
    )
    homepage = "https://github.com/ieee8023/covid-chestxray-dataset"
    modalities: ClassVar[tuple[Modality, ...]] = ("cxr", "ct")
    label_choices = (LabelChoice("covid", ("record", "note"), "ignore"),)
    files = (
        NeededFile("metadata.csv", "one row for each image", "in the repository", COLUMNS),
        NeededFile("images", "pictures", "in the repository"),
        NeededFile(LUNGS, "boxes of the lungs in 167 X-rays", "in the repository", optional=True),
    )
    expected: ClassVar[dict[str, int]] = {"pictures": 738, "rows": 751, "patients": 380}
    locked_share = 0.2
    locked_as = "covid_chestxray:"
    locked_with = "covid_multi_imaging"

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; rows without image or label, and second rows, rejected."""
        self.choice(labels)
        self.need(root)
        rows = read_table(root / "metadata.csv", COLUMNS)
        pictures = Pictures(root, ["images"])
        kept, rejected = _sort_out(rows, pictures)
        groups = _groups(root, rows)
        ill = {row["patientid"] for row in rows if "COVID-19" in row["finding"]}
        sizes = Sizes(root)
        studies: dict[tuple[str, ...], list[tuple[Row, str]]] = {}
        for row, path in kept:
            key = tuple(row[name] for name in ("patientid", "modality", "offset", "date"))
            studies.setdefault(key, []).append((row, path))
        return Reading(
            tuple(_study(members, groups, ill, sizes) for members in studies.values()),
            tuple(rejected),
        )

    def lungs(self, root: Path) -> Mapping[str, tuple[Region, ...]]:
        """The boxes of both lungs, drawn by General Blockchain, Inc., in some of the X-rays."""
        if not (root / LUNGS).is_file():
            return {}
        pictures = Pictures(root, ["images"])
        try:
            marks = json_in(root / LUNGS)
            shown = {one["id"]: one for one in marks["images"]}
            found: dict[str, tuple[Region, ...]] = {}
            for box in marks["annotations"]:
                image = shown[box["image_id"]]
                path = pictures.find(image["file_name"])
                drawn = None not in box["bbox"]  # A lung that could not be seen has no box.
                if path is not None and drawn:
                    region = _region(box["bbox"], image["width"], image["height"])
                    found[path] = (*found.get(path, ()), region)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{root / LUNGS}: not COCO boxes: {error!r}", "get it again") from None
        return found

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up patients: both modalities, three findings, one row left `todo`."""
        rng = np.random.default_rng(12)
        with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, COLUMNS, restval="")
            writer.writeheader()
            for number in range(12):
                finding = ("COVID-19", "Pneumonia", "COVID-19", "SARS")[number % 4]
                scan = number % 6 == 5
                row = {
                    "patientid": str(number + 1),
                    "offset": str(number % 3),
                    "sex": "MF"[number % 2],
                    "age": str(30 + number),
                    "finding": "todo" if number == 11 else finding,
                    "view": "Axial" if scan else "PA",
                    "modality": "CT" if scan else "X-ray",
                    "folder": "images",
                    "filename": f"made-up-{number}.png",
                    "url": f"https://site-{number % 3}.example/case",
                    "clinical_notes": "Cough and fever. Tested positive for COVID-19."
                    if finding == "COVID-19"
                    else "Cough for a week, no contact known.",
                }
                writer.writerow(row)
                draw(folder / "images" / row["filename"], rng, bright=finding == "COVID-19")
        shown = {"id": 1, "file_name": "made-up-0.png", "width": 64, "height": 48}
        boxes = [{"image_id": 1, "bbox": [left, 8, 24, 32]} for left in (4, 36)]
        (folder / LUNGS).parent.mkdir()
        marks = json.dumps({"images": [shown], "annotations": boxes})
        (folder / LUNGS).write_text(marks, encoding="utf-8")


def _sort_out(
    rows: Iterable[Row], pictures: Pictures
) -> tuple[list[tuple[Row, str]], list[Rejected]]:
    """Rows of studies with their image, and rejected rows."""
    kept: dict[str, Row] = {}
    rejected = []
    for row in rows:
        path = pictures.find(row["filename"]) if row["folder"] == "images" else None
        reason = ""
        if row["modality"] not in MODALITIES:
            raise InputError(
                f"{row.file}: row {row.number}: modality {row['modality']!r}",
                "write X-ray or CT",
            )
        if row["folder"] != "images":
            reason = f"folder is {row['folder']!r}, not images"
        elif path is None:
            reason = "picture not found"
        elif not row["patientid"]:
            reason = "no patientid"
        elif row["finding"] in ("todo", ""):
            reason = "finding is todo"
        elif path in kept:
            reason = "its picture is already in an earlier row"
        if reason or path is None:
            rejected.append(Rejected("metadata.csv", row.number, reason, row["filename"]))
        else:
            kept[path] = row
    known = {pictures.find(row["filename"]) for row in rows}
    rejected += [
        Rejected("images", 0, "no row in metadata.csv", path)
        for path in pictures.all()
        if path not in known
    ]
    return [(row, path) for path, row in kept.items()], rejected


def _region(box: Sequence[float], width: float, height: float) -> Region:
    """A COCO box (left, top, width, height in pixels) as shares of its image."""
    left, top, wide, high = box
    return Region(left / width, top / height, (left + wide) / width, (top + high) / height)


def _groups(root: Path, rows: Iterable[Row]) -> dict[str, str]:
    """Group of each patient id: joined by a shared image or a listed near-duplicate."""
    owners = [(("covid_chestxray", published(row["filename"])), row["patientid"]) for row in rows]
    return join(owners, read_pairs(root))


def _study(
    members: list[tuple[Row, str]], groups: dict[str, str], ill: set[str], sizes: Sizes
) -> Study:
    first = members[0][0]
    modality = MODALITIES[first["modality"]]
    images = tuple(
        StudyImage(path, modality, VIEWS.get(row["view"], "unknown")) for row, path in members
    )
    notes = dict.fromkeys(
        row[column] for row, _ in members for column in ("clinical_notes",) if row[column]
    )
    metadata = {
        "modality": modality,
        "view": "+".join(sorted({row["view"] for row, _ in members if row["view"]})),
        "sex": first["sex"],
        "age": first["age"],
        "document": urlsplit(first["url"]).netloc.removeprefix("www."),
        "location": first["location"],
        "doi": first["doi"],
        "pictures": str(len(members)),
        **sizes.metadata(members[0][1]),
    }
    name = "/".join(word for word in (first["patientid"], modality, first["offset"]) if word)
    if first["date"]:
        name += "@" + first["date"].replace(" ", "_")
    return Study(
        study=name,
        patient=groups[first["patientid"]],
        images=images,
        report=tuple(Passage("note", note) for note in notes),
        stated=covid(_finding([row for row, _ in members], ill)),
        dataset="covid_chestxray",
        metadata={key: value for key, value in metadata.items() if value},
    )


def _finding(rows: list[Row], ill: set[str]) -> Stated:
    """COVID-19 or not, by the rules at the top of this file."""
    if any("COVID-19" in row["finding"] for row in rows):
        return "present"
    healthy = all(row["finding"] == "No Finding" for row in rows)
    return "uncertain" if healthy and rows[0]["patientid"] in ill else "absent"
