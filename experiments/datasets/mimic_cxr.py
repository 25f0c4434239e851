"""MIMIC-CXR: 377,110 chest X-rays of 227,835 studies and 65,379 patients, each with its report.

Images as JPG (MIMIC-CXR-JPG) or DICOM (MIMIC-CXR), side by side in the same folders. A study is
one report. Labels, all read from the reports: `chexpert14` and `chexpert14_negbio` by the two
labelers for every study, `chexpert14_test` by a radiologist for 687 of the official test subset;
1, 0, -1 uncertain, blank not mentioned. The official split is by patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.reading.plain import text_file
from encoders.reading.report import read_report
from encoders.study import Passage, SplitSubset, Stated, Study, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._columns import Columns, read_columns
from experiments.datasets._label_columns import CHEXPERT14
from experiments.datasets._layout import Reading, Rejected, first
from experiments.datasets._made_up import draw_dicom, write_table
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw
from experiments.datasets._tables import read_header
from kg.bounds import Number
from kg.errors import InputError, did_you_mean
from kg.files.store import load_shipped
from kg.model.graph import LabelSet

__all__ = ["MimicCXR"]

GIVER = "PhysioNet {}, credentialed account and data use agreement"
JPG, DICOM = GIVER.format("mimic-cxr-jpg"), GIVER.format("mimic-cxr")
KEYS = ("subject_id", "study_id")
LABELS = {
    "chexpert14": "mimic-cxr-2.0.0-chexpert.csv.gz|mimic-cxr-2.0.0-chexpert.csv",
    "chexpert14_negbio": "mimic-cxr-2.0.0-negbio.csv.gz|mimic-cxr-2.0.0-negbio.csv",
    "chexpert14_test": "mimic-cxr-2.1.0-test-set-labeled.csv",
}
METADATA = (
    "mimic-cxr-2.0.0-metadata.csv.gz|mimic-cxr-2.0.0-metadata.csv"
    "|cxr-record-list.csv.gz|cxr-record-list.csv"
)
SPLIT = "mimic-cxr-2.0.0-split.csv.gz|mimic-cxr-2.0.0-split.csv"
SUBSETS: dict[str, SplitSubset] = {"train": "train", "validate": "validation", "test": "test"}
REPORTS = ("files", "mimic-cxr-reports/files", "mimic-cxr-reports", "reports")
METADATA_COLUMNS = {"ViewPosition": "view", "Rows": "height", "Columns": "width"}
VIEWS: dict[str, View] = {
    "PA": "frontal",
    "AP": "frontal",
    "AP AXIAL": "frontal",
    "AP LLD": "frontal",
    "AP RLD": "frontal",
    "PA LLD": "frontal",
    "PA RLD": "frontal",
    "LATERAL": "lateral",
    "LL": "lateral",
    "XTABLE LATERAL": "lateral",
}
AIRSPACE = "Airspace Opacity"
TITLE = "FINAL REPORT"
SHORT = 1
"""Made-up study whose report is one word, and names no finding."""


class MimicCXR(Pictured):
    """PhysioNet's folders: tables in the root, images and reports in the tree of `files`."""

    class Options(Pictured.Options):
        """Options of MIMIC-CXR.

        Args:
            reports: True if the tree of reports is read where it exists.
            fewest_tokens: Least number of words of findings and impression together; shorter
                reports are dropped (3 for pretraining on pairs), their study stays.
        """

        reports: bool = True
        fewest_tokens: Number = 0

    licence = "PhysioNet Credentialed Health Data License 1.5.0; no redistribution"
    citation = (
        "Johnson AEW, Pollard TJ, Berkowitz SJ, et al. MIMIC-CXR, a de-identified publicly "
        "available database of chest radiographs with free-text reports. Scientific Data "
        "2019;6:317. JPG and labels: Johnson AEW, et al. arXiv:1901.07042."
    )
    homepage = "https://physionet.org/content/mimic-cxr-jpg/"
    label_choices = (
        LabelChoice("chexpert14", ("findings", "impression")),
        LabelChoice("chexpert14_negbio", ("findings", "impression")),
        LabelChoice("chexpert14_test", ("findings", "impression")),
    )
    folders = ("files",)
    files = (
        NeededFile(
            "files",
            "images: pNN/pNNNNNNNN/sNNNNNNNN/*.jpg or *.dcm",
            f"{JPG}; {DICOM}",
            apply="PhysioNet: become a credentialed user and sign the agreement of mimic-cxr-jpg",
        ),
        NeededFile(
            METADATA, "one row for each image: patient, study, view", JPG, ("dicom_id", *KEYS)
        ),
        NeededFile(
            LABELS["chexpert14"], "labels by CheXpert's labeler", JPG, ("study_id", *CHEXPERT14)
        ),
        NeededFile(
            LABELS["chexpert14_negbio"],
            "labels by NegBio, for label choice chexpert14_negbio",
            JPG,
            ("study_id", *CHEXPERT14),
            optional=True,
        ),
        NeededFile(
            LABELS["chexpert14_test"],
            "a radiologist's labels of 687 reports, for label choice chexpert14_test",
            f"{JPG}, version 2.1.0",
            ("study_id",),
            optional=True,
        ),
        NeededFile(SPLIT, "the official split", JPG, ("study_id", "split"), optional=True),
        NeededFile(
            "mimic-cxr-reports|reports|files/p10/p10000032/*.txt",
            "reports: pNN/pNNNNNNNN/sNNNNNNNN.txt",
            f"{DICOM}, mimic-cxr-reports.zip",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "pictures": 377_110,
        "studies": 227_835,
        "patients": 65_379,
        "labelled studies": 227_827,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; rows without image and reports too short are rejected."""
        self.choice(labels)
        self.need(root)
        table = read_columns(
            first(root, METADATA, JPG), ("dicom_id", *KEYS), tuple(METADATA_COLUMNS)
        )
        stated = _stated(first(root, LABELS[labels], JPG))
        found, rejected = self.gathered(table.path.name, self._image_rows(table, root))
        metadata = table.metadata(METADATA_COLUMNS, modality="cxr")
        trees = [root / tree for tree in REPORTS if (root / tree).is_dir()]
        studies = []
        for name, image_rows in found.items():
            report, left = self._report(trees, image_rows[0])
            rejected += left
            studies.append(
                Study(
                    study=name,
                    patient=image_rows[0].patient,
                    images=images(image_rows),
                    report=report,
                    stated=stated.get(name, {}),
                    dataset="mimic_cxr",
                    metadata=metadata[image_rows[0].place],
                )
            )
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """The CheXpert labels under the name of their labeler."""
        if self.choice(labels).name == "chexpert14":
            return None
        return replace(load_shipped().label_set("chexpert14"), name=labels)

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study, by the table of the split; empty without it."""
        if not any((root / place).is_file() for place in SPLIT.split("|")):
            return {}
        table = read_columns(first(root, SPLIT, JPG), ("study_id", "split"))
        unknown = set(table["split"]) - set(SUBSETS)
        if unknown:
            word = sorted(unknown)[0]
            row = table.numbers[table["split"].index(word)]
            raise InputError(
                f"{table.path}: row {row}: split {word!r}", did_you_mean(word, SUBSETS)
            )
        return {f"s{study}": SUBSETS[subset] for study, subset in table.rows("study_id", "split")}

    def tiny(self, folder: Path) -> None:
        """Write 18 made-up studies of 12 patients: JPG and DICOM, reports, labels, split."""
        rng = np.random.default_rng(19)
        image_rows, labels, read_again, split = [], [], [], []
        for number in range(18):
            patient, study = str(10000100 + number % 12), str(50000200 + number)
            ill = number % 3 == 0
            subset = ("train", "train", "validate", "test")[number % 12 % 4]
            tree = f"p{patient[:2]}/p{patient}/s{study}"
            for view in ("PA", "LATERAL")[: 1 + number % 2]:
                name = f"{number:08x}-{view == 'PA':08x}-00000000-00000000-00000000"
                place = folder / "files" / tree / name
                if number % 6 == 5:
                    draw_dicom(place.with_suffix(".dcm"), rng, bright=ill)
                else:
                    draw(place.with_suffix(".jpg"), rng, bright=ill)
                image_rows.append((name, patient, study, "CHEST", view, 48, 64))
                split.append((name, study, patient, subset))
            cells = dict.fromkeys(CHEXPERT14, "")
            cells |= {"Pleural Effusion": "1.0"} if ill else {"No Finding": "1.0"}
            cells |= {"Edema": "-1.0", "Pneumothorax": "0.0"} if ill else {}
            cells |= {} if ill or number == SHORT else {"Pleural Effusion": "0.0"}
            labels.append((patient, study, *cells.values()))
            if subset == "test":
                read_again.append((study, *cells.values()))
            _write_report(folder / "mimic-cxr-reports" / "files" / f"{tree}.txt", number, ill=ill)
        header = ("dicom_id", *KEYS, "PerformedProcedureStepDescription", *METADATA_COLUMNS)
        write_table(folder / _name(METADATA), header, image_rows)
        write_table(folder / _name(SPLIT), ("dicom_id", "study_id", "subject_id", "split"), split)
        for name in ("chexpert14", "chexpert14_negbio"):
            write_table(folder / _name(LABELS[name]), (*KEYS, *CHEXPERT14), labels)
        columns = [name.replace("Lung Opacity", AIRSPACE) for name in CHEXPERT14]
        write_table(folder / _name(LABELS["chexpert14_test"]), ("study_id", *columns), read_again)

    def _image_rows(self, table: Columns, root: Path) -> Iterator[ImageRow]:
        pictures = self.pictures(root)
        rows = table.rows("dicom_id", *KEYS)
        for place, ((name, patient, study), view) in enumerate(
            zip(rows, table.get("ViewPosition"), strict=True)
        ):
            yield ImageRow(
                study=f"s{study}",
                patient=patient,
                name=name,
                path=pictures.at(f"files/p{patient[:2]}/p{patient}/s{study}/{name}.jpg"),
                view=VIEWS.get(view, "unknown"),
                row=table.numbers[place],
                place=place,
            )

    def _report(
        self, trees: list[Path], image_row: ImageRow
    ) -> tuple[tuple[Passage, ...], list[Rejected]]:
        """The report of a study, or none and the reason."""
        options = self.options
        assert isinstance(options, MimicCXR.Options)
        if not trees or not options.reports:
            return (), []
        name = f"p{image_row.patient[:2]}/p{image_row.patient}/{image_row.study}.txt"
        raw = next(filter(None, (_bytes(tree / name) for tree in trees)), None)
        if raw is None:
            return (), [Rejected(name, 0, "report not found", image_row.study)]
        passages = tuple(p for p in read_report(raw) if p.text != TITLE)
        words = sum(len(p.text.split()) for p in passages if p.name in ("findings", "impression"))
        if words < options.fewest_tokens:
            why = f"report of fewer than {options.fewest_tokens} tokens"
            return (), [Rejected(name, 0, why, image_row.study)]
        return passages, []


def _name(places: str) -> str:
    return places.split("|")[0]


def _stated(path: Path) -> dict[str, dict[str, Stated]]:
    """Labels of a table, by study; the radiologist's table names lung opacity airspace opacity."""
    header = read_header(path)
    columns = {
        AIRSPACE if name == "Lung Opacity" and AIRSPACE in header else name: concept
        for name, concept in CHEXPERT14.items()
    }
    table = read_columns(path, ("study_id", *columns))
    names = (f"s{study}" for study in table["study_id"])
    return dict(zip(names, table.stated(columns), strict=True))


def _bytes(path: Path) -> bytes | None:
    return text_file(path) if path.exists() else None


def _write_report(path: Path, number: int, *, ill: bool) -> None:
    effusion = "Small left pleural effusion. Possible edema. No pneumothorax."
    said = effusion if ill else "The lungs are clear. No pleural effusion."
    told = "Pleural effusion." if ill else "No acute disease."
    text = f"{TITLE}\n INDICATION: ___ year old with cough.\n\n FINDINGS:\n {said}\n"
    text = f"{text}\n IMPRESSION:\n {told}\n"
    if number == SHORT:
        text = f"{TITLE}\n IMPRESSION: Normal."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
