"""Open-i (Indiana University): chest X-rays of two projections with reports, MeSH and gold labels.

Layouts: Kaggle's (`indiana_reports.csv`, `indiana_projections.csv`, a folder of pictures) and
Open-i's own (the XML files of `ecgen-radiology`, or one table made of them). A study is one
report with at least one picture; Open-i has one study a patient, so the study is the group.

Labels: `nih14` is the gold table NegBio ships (14 findings and `normal` of each report), `mesh`
the headings indexers gave the report, `chexpert14` what a labeler read in findings and impression.
All three speak of the report's text, none of an expert's look at the picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from encoders.study import Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets import _mesh as mesh
from experiments.datasets import _openi_tiny as made_up
from experiments.datasets._label_columns import CHEXPERT14, NIH14
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._pictures import Pictures, stem
from experiments.datasets._tables import Row, read_table, unique
from kg.errors import InputError
from kg.graph import LabelSet

__all__ = ["OpenI"]

SECTIONS = ("indication", "comparison", "findings", "impression")
VIEWS: dict[str, View] = {
    "Frontal": "frontal",
    "Lateral": "lateral",
    "PA": "frontal",
    "AP": "frontal",
    "LL": "lateral",
    "RL": "lateral",
    "LATERAL": "lateral",
}
FOLDERS = ("images", "NLMCXR_png", "NLMCXR_dcm", "images_normalized")


@dataclass(frozen=True, slots=True)
class _Report:
    """One report as published: number, sections, MeSH paths, names of its pictures."""

    uid: str
    file: str
    row: int
    passages: tuple[Passage, ...]
    headings: tuple[str, ...]
    pictures: tuple[str, ...] = ()


class OpenI(Layout):
    """The Indiana University chest X-ray collection, in any of its published layouts."""

    licence = "CC BY-NC-ND 4.0 (stated in every report)"
    citation = (
        "Demner-Fushman D, et al. Preparing a collection of radiology examinations for "
        "distribution and retrieval. JAMIA 2016;23(2):304-310. Gold labels: Peng Y, et al. "
        "NegBio. AMIA Summits 2018."
    )
    homepage = "https://openi.nlm.nih.gov/"
    graph_names = ("OpenI", "OpenI-MeSH")
    modalities: ClassVar[tuple[Modality, ...]] = ("cxr",)
    label_choices = (
        LabelChoice("nih14", ("findings", "impression")),
        LabelChoice("mesh", ("mesh", "findings", "impression")),
        LabelChoice("chexpert14", ("findings", "impression")),
    )
    files = (
        NeededFile(
            "openi_reports.csv|indiana_reports.csv|ecgen-radiology",
            "reports with sections and MeSH",
            "Open-i's NLMCXR_reports.tgz (also inside torchxrayvision), or Kaggle "
            "raddar/chest-xrays-indiana-university",
        ),
        NeededFile(
            "indiana_projections.csv",
            "projection of each picture",
            "Kaggle raddar/chest-xrays-indiana-university",
            ("uid", "filename", "projection"),
            optional=True,
        ),
        NeededFile(
            "images|NLMCXR_png|NLMCXR_dcm|images_normalized",
            "pictures, found by stem with any ending",
            "Open-i's NLMCXR_png.tgz, or the Kaggle set",
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
            "nlmcxr_dicom_metadata.csv.gz",
            "DICOM headers: true picture size and view",
            "inside the package torchxrayvision",
            ("imageid", "Rows", "Columns", "View Position"),
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"studies": 3851, "pictures": 7466}
    locked_share = 0.25

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a report without any picture is rejected."""
        self.choice(labels)
        self.need(root)
        pictures = Pictures(root, FOLDERS)
        reports = _reports(root)
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
            if not images:
                rejected.append(Rejected(report.file, report.row, "no picture", f"CXR{uid}"))
                continue
            studies.append(_study(report, images, stated.get(uid, {})))
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """Of the MeSH choice, the concepts its headings mean; the graph knows the other choices."""
        return mesh.label_set() if self.choice(labels).name == "mesh" else None

    def tiny(self, folder: Path) -> None:
        """Write a made-up copy of the Kaggle layout with gold and machine labels."""
        made_up.write(folder)


def _study(
    report: _Report, images: list[tuple[StudyImage, Row | None]], stated: dict[str, Stated]
) -> Study:
    facts = {
        "modality": "cxr",
        "view": "+".join(sorted({image.view for image, _ in images})),
        "pictures": str(len(images)),
    }
    ordered = sorted(images, key=lambda pair: pair[0].view != "frontal")
    header = next((row for _, row in ordered if row is not None), None)
    if header is not None:
        facts |= {"width": header["Columns"], "height": header["Rows"]}
    return Study(
        study=f"CXR{report.uid}",
        patient=f"CXR{report.uid}",
        images=tuple(image for image, _ in images),
        report=report.passages,
        stated=stated,
        coded=mesh.concepts(report.headings),
        source="openi",
        facts=facts,
    )


def _reports(root: Path) -> dict[str, _Report]:
    """Reports by number, from the first of the three forms that is there."""
    if (root / "openi_reports.csv").is_file():
        columns = ("uid", *SECTIONS, "mesh_major", "images")
        rows = unique(read_table(root / "openi_reports.csv", columns), "uid").values()
        found = [_from_row(row, "mesh_major", _names(row["images"])) for row in rows]
    elif (root / "indiana_reports.csv").is_file():
        rows = unique(
            read_table(root / "indiana_reports.csv", ("uid", *SECTIONS, "MeSH")), "uid"
        ).values()
        found = [_from_row(row, "MeSH", ()) for row in rows]
    else:
        found = [_from_xml(root, path) for path in sorted((root / "ecgen-radiology").glob("*.xml"))]
    return {report.uid: report for report in sorted(found, key=lambda report: int(report.uid))}


def _from_row(row: Row, headings: str, pictures: tuple[str, ...]) -> _Report:
    uid = row["uid"].removeprefix("CXR")
    if not uid.isdigit():
        raise InputError(f"{row.file}: row {row.number}: uid {row['uid']!r}", "write a number")
    passages = tuple(Passage(name, row[name]) for name in SECTIONS if row[name])
    return _Report(uid, row.file.name, row.number, passages, _names(row[headings]), pictures)


def _from_xml(root: Path, path: Path) -> _Report:
    try:
        tree = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not readable XML: {error}", "unpack the reports again") from None
    texts = {
        (node.get("Label") or "").lower(): " ".join("".join(node.itertext()).split())
        for node in tree.iter("AbstractText")
    }
    return _Report(
        uid=path.stem,
        file=path.relative_to(root).as_posix(),
        row=0,
        passages=tuple(Passage(name, texts[name]) for name in SECTIONS if texts.get(name)),
        headings=tuple((node.text or "").strip() for node in tree.iterfind("MeSH/major")),
        pictures=tuple(node.get("id") or "" for node in tree.iter("parentImage")),
    )


def _names(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def _projections(root: Path) -> dict[str, dict[str, View | None]]:
    """Picture names and views of each report number, where the table is there."""
    found: dict[str, dict[str, View | None]] = {}
    path = root / "indiana_projections.csv"
    rows = read_table(path, ("uid", "filename", "projection")) if path.is_file() else []
    for row in rows:
        if row["projection"] not in VIEWS:
            raise InputError(
                f"{path}: row {row.number}: projection {row['projection']!r}",
                "write Frontal or Lateral",
            )
        found.setdefault(row["uid"], {})[row["filename"]] = VIEWS[row["projection"]]
    return found


def _find(pictures: Pictures, uid: str, name: str) -> str | None:
    """A picture by name; Open-i's names (`CXR7_IM-2263`) and Kaggle's (`7_IM-2263`) differ."""
    for known in (name, name.removeprefix("CXR"), name.removeprefix(f"CXR{uid}_")):
        path = pictures.find(known)
        if path is not None:
            return path
    return None


def _image_id(uid: str, path: str) -> str:
    """A picture's id in the header table: `CXR1_1_IM-0001-4001`."""
    name = stem(path.rsplit("/", 1)[-1])
    return name if name.startswith("CXR") else f"CXR{name}"


def _headers(root: Path) -> dict[str, Row]:
    path = root / "nlmcxr_dicom_metadata.csv.gz"
    if not path.is_file():
        return {}
    rows = read_table(path, ("imageid", "Rows", "Columns", "View Position"))
    return {row["imageid"]: row for row in rows}


def _view(header: Row | None) -> View:
    return VIEWS.get(header["View Position"].upper(), "unknown") if header else "unknown"


def _labels(root: Path, labels: str, reports: dict[str, _Report]) -> dict[str, dict[str, Stated]]:
    """What the chosen labels state, by report number; a number not in it has no labels."""
    if labels == "nih14":
        rows = unique(read_table(root / "openi_gld_std14.csv", ("filename", *NIH14)), "filename")
        return {uid.removeprefix("CXR"): _row_labels(row) for uid, row in rows.items()}
    if labels == "chexpert14":
        return _machine_labels(root / "chexpert14_file2label.json")
    return {
        uid: mesh.concepts(report.headings)
        for uid, report in reports.items()
        if not all(mesh.says_nothing(path) for path in report.headings)
    }


def _row_labels(row: Row) -> dict[str, Stated]:
    found = {concept: row.label(column) for column, concept in NIH14.items()}
    return {concept: value for concept, value in found.items() if value is not None}


def _machine_labels(path: Path) -> dict[str, dict[str, Stated]]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
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
