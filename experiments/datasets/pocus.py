"""POCUS: lung ultrasound clips and stills with expert comments, healthy, bacterial, viral or COVID.

A study is one file: a clip (its frames) or a still. The class is in the file names, so a name is
never metadata or text. A file keeps its own label; a patient with files of two classes stays one
group. A file in the folder `label_uncertain` is uncertain.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import numpy as np

import kg.options
from encoders.study import Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._covid_labels import COVID, POCUS4, covid, one_of_four
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._pictures import Pictures, draw, stem
from experiments.datasets._sizes import Sizes
from experiments.datasets._tables import Row, read_table
from kg.bounds import Number
from kg.errors import InputError, did_you_mean

__all__ = ["POCUS"]

COLUMNS = (
    "Filename",
    "URL (Video Name)",
    "Label",
    "License",
    "Comments from web site",
    "Comments first medical doctor (MD1)",
    "Framerate",
    "Gender",
    "Age",
    "Patient ID / Name",
)
INDEX = ("source_filename", "file", "kind", "frame", "probe", "label_uncertain")
COMMENTS = COLUMNS[4:6]
PROBES: dict[str, View] = {"convex": "convex", "linear": "linear"}
VIDEO_FOLDERS = ("pocus_videos", "data/pocus_videos")
STILL_FOLDERS = ("pocus_images", "data/pocus_images")
SILENT = ("", "nd", "n/a", "none")


@dataclass(frozen=True, slots=True)
class _File:
    """One published file: name, images in this copy, probe, and certainty of the label."""

    name: str
    pictures: tuple[str, ...]
    probe: View
    kind: str
    sure: bool


class POCUS(Layout):
    """The ultrasound set as published (videos and stills), or a copy with frames and an index."""

    class Options(kg.options.Options):
        """Options of the ultrasound set.

        Args:
            frames: Largest number of frames of a clip, evenly spaced; 0 = all.
        """

        frames: Number = 0

    licence = "per file (column License): mostly CC BY-NC 4.0 and CC BY 4.0"
    citation = (
        "Born J, Wiedemann N, Cossio M, et al. Accelerating Detection of Lung Pathologies with "
        "Explainable Ultrasound Image Analysis. Applied Sciences 2021;11(2):672."
    )
    homepage = "https://github.com/jannisborn/covid19_ultrasound"
    graph_names = ("POCUS",)
    modalities: ClassVar[tuple[Modality, ...]] = ("ultrasound",)
    label_choices = (
        LabelChoice("covid", ("record", "comment"), "ignore"),
        LabelChoice("pocus4", ("record", "comment"), "ignore"),
    )
    files = (
        NeededFile(
            "dataset_metadata.csv|data/dataset_metadata.csv",
            "one row for each file: label, patient, comments, licence",
            "in the repository, data/",
            COLUMNS,
        ),
        NeededFile(
            "frames|pocus_videos|data/pocus_videos|images|pocus_images|data/pocus_images",
            "clips (or their frames) and stills",
            "in the repository, data/",
        ),
        NeededFile(
            "index.csv",
            "file of each frame, in a copy with frames",
            "made with the frames",
            INDEX,
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"files": 163, "patients": 108}
    locked_share = 0.2
    locked_as = "pocus:"
    locked_with = "covid_multi_imaging"

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each file; files without metadata are rejected."""
        self.choice(labels)
        self.need(root)
        table = next(path for path in _alternatives(root) if path.is_file())
        rows: dict[str, list[Row]] = {}
        for row in read_table(table, COLUMNS):
            rows.setdefault(stem(row["Filename"]), []).append(row)
        sizes = Sizes(root)
        files = _indexed(root) if (root / "index.csv").is_file() else _published(root)
        studies, rejected = [], []
        for file in files:
            found = rows.get(stem(file.name), [])
            if len(found) > 1:
                raise InputError(
                    f"{table}: {file.name!r} is in rows {found[0].number} and {found[1].number}",
                    "keep one of them",
                )
            if not found or not found[0]["Patient ID / Name"]:
                reason = "no row in the metadata" if not found else "no patient"
                rejected.append(Rejected(table.name, 0, reason, file.name))
                continue
            studies.append(self._study(file, found[0], labels, sizes))
        return Reading(tuple(studies), tuple(rejected))

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up files of 8 patients, three frames a clip, with an index."""
        rng = np.random.default_rng(7)
        rows, index = [], []
        for number in range(12):
            label = list(POCUS4)[number % 4]
            name = f"made-up-{number}" + (".mp4" if number < 8 else ".jpg")
            record = dict.fromkeys(COLUMNS, "") | {
                "Filename": name,
                "Label": label,
                "URL (Video Name)": f"https://site-{number % 3}.example/clip",
                "Comments from web site": "A-lines" if label == "regular" else "B-lines.",
                "Patient ID / Name": str(number % 8),
            }
            rows.append(record)
            for frame in range(3 if number < 8 else 1):
                file = f"frames/{name}_frame{frame:04d}.jpg" if number < 8 else f"images/{name}"
                draw(folder / file, rng, bright=label != "regular")
                kind = "video" if number < 8 else "image"
                cells = (name, file, kind, str(frame), "convex", "0")
                index.append(dict(zip(INDEX, cells, strict=True)))
        _write(folder / "dataset_metadata.csv", COLUMNS, rows)
        _write(folder / "index.csv", (*INDEX,), index)

    def _study(self, file: _File, row: Row, labels: str, sizes: Sizes) -> Study:
        pictures = _spaced(file.pictures, getattr(self.options, "frames", 0))
        metadata = {
            "modality": "ultrasound",
            "view": file.probe,
            "kind": file.kind,
            "license": row["License"],
            "document": urlsplit(row["URL (Video Name)"]).netloc.removeprefix("www."),
            "sex": {"w": "F", "f": "F", "m": "M"}.get(row["Gender"].lower(), ""),
            "age": row["Age"],
            "framerate": row["Framerate"],
            "pictures": str(len(file.pictures)),
            **sizes.metadata(file.pictures[0]),
        }
        return Study(
            study=stem(file.name),
            patient=row["Patient ID / Name"],
            images=tuple(StudyImage(path, "ultrasound", file.probe) for path in pictures),
            report=tuple(Passage("comment", row[column]) for column in COMMENTS if row[column]),
            stated=_stated(row, labels, file.sure),
            dataset="pocus",
            metadata={key: value for key, value in metadata.items() if value.lower() not in SILENT},
        )


def _stated(row: Row, labels: str, sure: bool) -> dict[str, Stated]:
    label = row["Label"].lower()
    if label not in POCUS4:
        raise InputError(
            f"{row.file}: row {row.number}: Label {row['Label']!r}", did_you_mean(label, POCUS4)
        )
    if labels == "pocus4":
        return one_of_four(label, sure=sure)
    if not sure:
        return covid("uncertain")
    return covid("present" if POCUS4[label] == COVID else "absent")


def _alternatives(root: Path) -> list[Path]:
    return [root / "dataset_metadata.csv", root / "data" / "dataset_metadata.csv"]


def _indexed(root: Path) -> list[_File]:
    """Files of a copy with frames, in the order of its index."""
    rows: dict[str, list[Row]] = {}
    for row in read_table(root / "index.csv", INDEX):
        rows.setdefault(row["source_filename"], []).append(row)
        if not (root / row["file"]).is_file():
            raise InputError(f"{row.file}: row {row.number}: no file {row['file']}", "copy it")
    files = []
    for name, members in rows.items():
        ordered = sorted(members, key=lambda row: int(row["frame"] or 0))
        first = ordered[0]
        paths = tuple(row["file"] for row in ordered)
        probe = PROBES.get(first["probe"], "unknown")
        files.append(_File(name, paths, probe, first["kind"], first["label_uncertain"] != "1"))
    return files


def _published(root: Path) -> list[_File]:
    """Files of the published folders; a clip is one image file with several frames."""
    files = []
    for kind, folders in (("video", VIDEO_FOLDERS), ("image", STILL_FOLDERS)):
        for path in Pictures(root, folders).all():
            steps = path.lower().split("/")
            probe: View = next((PROBES[step] for step in steps if step in PROBES), "unknown")
            name = path.rsplit("/", 1)[-1]
            files.append(_File(name, (path,), probe, kind, "label_uncertain" not in steps))
    return files


def _spaced(paths: Sequence[str], limit: int) -> Sequence[str]:
    """At most `limit` of the paths, evenly spaced from the first to the last; 0 = all."""
    if not 0 < limit < len(paths):
        return paths
    places = np.linspace(0, len(paths) - 1, limit).round().astype(int)
    return [paths[place] for place in places]


def _write(path: Path, columns: Sequence[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, columns)
        writer.writeheader()
        writer.writerows(rows)
