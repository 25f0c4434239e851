"""Open-i (Indiana University): chest X-rays of two projections with reports, MeSH and gold labels.

Layouts: Kaggle's (`indiana_reports.csv`, `indiana_projections.csv`, a folder of images) and
Open-i's own (the XML files of `ecgen-radiology`, their archive, or one table made of them). A study
is one report with at least one image; each patient has one study, so the study is the group.

Labels: `nih14` is the gold table NegBio ships (14 findings and `normal` of each report), `mesh`
the headings of the report by indexers, `mesh_full` these and the body parts and attributes beside
them, `edema` the grade of pulmonary edema in these headings (none, congestion, edema), `chexpert14`
the output of a labeler on findings and impression. All of them label the text of the report; none
is an expert reading of the image.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import ClassVar

from encoders.study import Stated, Study, StudyImage, View
from experiments.datasets import Download, LabelChoice, NeededFile
from experiments.datasets import _mesh as mesh
from experiments.datasets import _openi_tiny as made_up
from experiments.datasets._label_columns import CHEXPERT14, NIH14
from experiments.datasets._layout import Reading, Rejected
from experiments.datasets._openi_reports import ARCHIVE, Report, read_reports
from experiments.datasets._pictured import Pictured
from experiments.datasets._pictures import Pictures, stem
from experiments.datasets._tables import Row, read_table, unique
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError
from kg.files.json_text import json_in
from kg.model.graph import LabelSet

__all__ = ["OpenI"]

VIEWS: dict[str, View] = {
    "Frontal": "frontal",
    "Lateral": "lateral",
    "PA": "frontal",
    "AP": "frontal",
    "LL": "lateral",
    "RL": "lateral",
    "LATERAL": "lateral",
}
KAGGLE_NAME = re.compile(r"(\d+)_IM-")
"""Prefix of an image name in Kaggle's tables: the number of its report."""
HEADERS = "nlmcxr_dicom_metadata.csv.gz"
COLLECTION = "https://openi.nlm.nih.gov/imgs/collections/"


class OpenI(Pictured):
    """The Indiana University chest X-ray collection, in any of its published layouts."""

    licence = "CC BY-NC-ND 4.0 (stated in every report)"
    citation = (
        "Demner-Fushman D, et al. Preparing a collection of radiology examinations for "
        "distribution and retrieval. JAMIA 2016;23(2):304-310. Gold labels: Peng Y, et al. "
        "NegBio. AMIA Summits 2018."
    )
    homepage = "https://openi.nlm.nih.gov/"
    graph_names = ("OpenI", "OpenI-MeSH")
    label_choices = (
        LabelChoice("nih14", ("findings", "impression")),
        LabelChoice("mesh", ("mesh", "findings", "impression")),
        LabelChoice("mesh_full", ("mesh", "findings", "impression")),
        LabelChoice("edema", ("mesh", "findings", "impression"), ordered=True),
        LabelChoice("chexpert14", ("findings", "impression")),
    )
    folders = ("images", "NLMCXR_png", "NLMCXR_dcm", "images_normalized")
    files = (
        NeededFile(
            f"openi_reports.csv|indiana_reports.csv|ecgen-radiology|{ARCHIVE}",
            "reports with sections and MeSH",
            f"Open-i's {ARCHIVE}, or Kaggle raddar/chest-xrays-indiana-university; where none is "
            "here, torchxrayvision's copy is read",
            optional=True,
            downloads=(Download(COLLECTION + ARCHIVE, to=ARCHIVE),),
        ),
        NeededFile(
            "indiana_projections.csv",
            "projection of each image",
            "Kaggle raddar/chest-xrays-indiana-university",
            ("uid", "filename", "projection"),
            optional=True,
        ),
        NeededFile(
            "|".join(folders),
            "images, found by stem with any ending",
            "Open-i's NLMCXR_png.tgz or NLMCXR_dcm.tgz, or the Kaggle set",
            downloads=(Download(COLLECTION + "NLMCXR_png.tgz", to="NLMCXR_png", unpack=True),),
        ),
        NeededFile(
            "openi_gld_std14.csv",
            "gold NIH-14 findings and normal, for label choice nih14",
            "github ncbi-nlp/NegBio, examples/",
            ("filename", *NIH14),
            optional=True,
        ),
        NeededFile(
            "chexpert14_file2label.json",
            "machine CheXpert-14 labels, for label choice chexpert14",
            "github ginobilinie/xray_report_generation, open-i/",
            optional=True,
        ),
        NeededFile(
            HEADERS,
            "DICOM headers: true image size and view",
            "inside the package torchxrayvision, whose copy is read where it is not here",
            ("imageid", "Rows", "Columns", "View Position"),
            optional=True,
            size=955_593,
            checksum="sha256:996c7d7a23b6bef51b1308dfa9671fb59b00e67c8928f7ff45cc002ca16ebf3e",
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "reports": 3_955,
        "pictures": 7_470,
        "studies of the Kaggle set": 3_851,
        "pictures of the Kaggle set": 7_466,
    }
    locked_share = 0.25

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a report without any image is rejected."""
        self.choice(labels)
        self.need(root)
        pictures = self.pictures(root)
        reports = read_reports(root)
        projections = _projections(root)
        headers = _headers(root)
        stated = _labels(root, labels, reports)
        studies, rejected = [], []
        for uid, report in reports.items():
            images = []
            for name, view in projections.get(uid, dict.fromkeys(report.pictures)).items():
                path = _find(pictures, uid, name)
                if path is None:
                    rejected.append(Rejected(report.file, report.row, "picture not found", name))
                    continue
                header = headers.get(_image_id(uid, path))
                images.append((StudyImage(path, "cxr", view or _view(header)), header))
            if not images and not self.without_pictures:
                rejected.append(Rejected(report.file, report.row, "no picture", f"CXR{uid}"))
                continue
            studies.append(_study(report, images, stated.get(uid, {})))
        return Reading(tuple(studies), tuple(() if self.without_pictures else rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """Concepts of the MeSH choices; the graph has the other choices."""
        own = {
            "mesh": mesh.label_set,
            "mesh_full": mesh.full_label_set,
            "edema": mesh.edema_label_set,
        }
        name = self.choice(labels).name
        return own[name]() if name in own else None

    def tiny(self, folder: Path) -> None:
        """Write a made-up copy of the Kaggle layout with gold and machine labels."""
        made_up.write(folder)


def _study(
    report: Report, images: list[tuple[StudyImage, Row | None]], stated: dict[str, Stated]
) -> Study:
    views = "+".join(sorted({image.view for image, _ in images}))
    metadata = {"modality": "cxr", "pictures": str(len(images))}
    if views:
        metadata["view"] = views
    ordered = sorted(images, key=lambda pair: pair[0].view != "frontal")
    header = next((row for _, row in ordered if row is not None), None)
    if header is not None:
        metadata |= {"width": header["Columns"], "height": header["Rows"]}
    return Study(
        study=f"CXR{report.uid}",
        patient=f"CXR{report.uid}",
        images=tuple(image for image, _ in images),
        report=report.passages,
        stated=stated,
        coded=mesh.concepts(report.headings),
        dataset="openi",
        metadata=metadata,
    )


def _projections(root: Path) -> dict[str, dict[str, View | None]]:
    """Image names and views of each report number; empty without the table."""
    found: dict[str, dict[str, View | None]] = {}
    path = root / "indiana_projections.csv"
    rows = read_table(path, ("uid", "filename", "projection")) if path.is_file() else []
    for row in rows:
        if row["projection"] not in VIEWS:
            raise InputError(
                f"{path}: row {row.number}: projection {row['projection']!r}",
                "write Frontal or Lateral",
            )
        of = KAGGLE_NAME.match(row["filename"])
        if of is not None and of[1] != row["uid"]:
            raise InputError(
                f"{path}: row {row.number}: image {row['filename']!r} is of report {of[1]}, "
                f"the row says {row['uid']}",
                "get the table again: its columns were moved against each other",
            )
        found.setdefault(row["uid"], {})[row["filename"]] = VIEWS[row["projection"]]
    return found


def _find(pictures: Pictures, uid: str, name: str) -> str | None:
    """An image by name; Open-i's names (`CXR7_IM-2263`) and Kaggle's (`7_IM-2263`) differ."""
    for known in (name, name.removeprefix("CXR"), name.removeprefix(f"CXR{uid}_")):
        path = pictures.find(known)
        if path is not None:
            return path
    return None


def _image_id(uid: str, path: str) -> str:
    """An image's id in the header table: `CXR1_1_IM-0001-4001`."""
    name = stem(path.rsplit("/", 1)[-1])
    return name if name.startswith("CXR") else f"CXR{name}"


def _headers(root: Path) -> dict[str, Row]:
    path = table_of(root, HEADERS, HEADERS)
    rows = read_table(path, ("imageid", "Rows", "Columns", "View Position"))
    return {row["imageid"]: row for row in rows}


def _view(header: Row | None) -> View:
    return VIEWS.get(header["View Position"].upper(), "unknown") if header else "unknown"


def _labels(root: Path, labels: str, reports: dict[str, Report]) -> dict[str, dict[str, Stated]]:
    """Labels of the chosen labelling, by report number; other numbers have no labels."""
    if labels == "nih14":
        rows = unique(read_table(root / "openi_gld_std14.csv", ("filename", *NIH14)), "filename")
        return {uid.removeprefix("CXR"): _row_labels(row) for uid, row in rows.items()}
    if labels == "chexpert14":
        return _machine_labels(root / "chexpert14_file2label.json")
    read = mesh.edema if labels == "edema" else partial(mesh.concepts, full=labels == "mesh_full")
    return {
        uid: read(report.headings)
        for uid, report in reports.items()
        if not all(mesh.says_nothing(path) for path in report.headings)
    }


def _row_labels(row: Row) -> dict[str, Stated]:
    found = {concept: row.label(column) for column, concept in NIH14.items()}
    return {concept: value for concept, value in found.items() if value is not None}


def _machine_labels(path: Path) -> dict[str, dict[str, Stated]]:
    try:
        table = json_in(path)
    except FileNotFoundError:
        raise InputError(f"{path}: not found", "choose labels nih14 or mesh, or get it") from None
    except ValueError as error:
        raise InputError(f"{path}: not readable JSON: {error}", "get the file again") from None
    found: dict[str, dict[str, Stated]] = {}
    for name, values in table.items():
        if len(values) != len(CHEXPERT14) or not set(values) <= {0, 1}:
            raise InputError(f"{path}: {name}: {values!r}", f"write {len(CHEXPERT14)} of 0 and 1")
        found[Path(name).stem] = {
            concept: "present" if value else "absent"
            for concept, value in zip(CHEXPERT14.values(), values, strict=True)
        }
    return found
