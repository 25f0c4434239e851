"""TCGA slides: scanned slides named by barcode, the report of each case, and its clinical table.

A study is one slide. The barcode in its file name tells case, tissue (tumour or normal) and
preparation (`DX` fixed in formalin, `TS`, `BS`, `MS` frozen); grades are read from the table of
the cases, from primary and secondary Gleason pattern. Reports are one text a case, where there are
any. A case is the group: all its slides stay on one side of a split. Barcodes are never text or
metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.reading.plain import text_file
from encoders.reading.report import read_report
from encoders.study import Modality, Passage, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading, Rejected, first
from experiments.datasets._made_up import write_table
from experiments.datasets._pictures import Pictures
from experiments.datasets._slide_labels import CONCEPTS, label_set, stated_of
from experiments.datasets._tables import Row, read_table, separator_of, unique
from experiments.synthetic.slide import Tissue, draw_slide, write_slide
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["TCGASlides"]

SLIDES, REPORTS, CLINICAL = "slides", "reports", "clinical.csv|clinical.tsv"
CASE, PRIMARY, SECONDARY = "case_submitter_id", "primary_gleason_grade", "secondary_gleason_grade"
AGE, DISEASE = "age_at_index", "project_id"
TASKS = ("grade", "fixation", "tissue")
BARCODE = re.compile(r"(TCGA-\w{2}-\w{4})-(\d{2})[A-Z]-\w{2,3}-([A-Z]{2})[0-9A-Z]+")
TISSUE: Mapping[str, str] = {"01": "tumour", "11": "normal"}
FIXATION: Mapping[str, str] = dict.fromkeys(("TS", "BS", "MS"), "frozen") | {"DX": "formalin"}
SILENT = ("", "'--", "--", "not reported", "unknown")
PATTERN = re.compile(r"(?:Pattern )?([1-5])")


class TCGASlides(Layout):
    """A download of the Genomic Data Commons: slides, clinical table and reports."""

    licence = "TCGA: open access tier of the NIH Genomic Data Commons; cite the TCGA network"
    citation = (
        "The Cancer Genome Atlas Research Network. The Molecular Taxonomy of Primary Prostate "
        "Cancer. Cell 2015;163(4):1011-1025."
    )
    homepage = "https://portal.gdc.cancer.gov"
    modalities: ClassVar[tuple[Modality, ...]] = ("pathology",)
    label_choices = (
        LabelChoice("slide", ("record",), "ignore"),
        *(LabelChoice(task, ("record",), "ignore", ordered=task == "grade") for task in TASKS),
    )
    files = (
        NeededFile(SLIDES, "slides: <barcode>.<uuid>.svs", "the GDC data portal, gdc-client"),
        NeededFile(
            CLINICAL,
            "one row for each case: age, Gleason patterns",
            "the GDC data portal, clinical tab",
            (CASE, AGE, PRIMARY, SECONDARY),
        ),
        NeededFile(
            REPORTS,
            "one text for each case: <case>.txt",
            "texts of the reports, such as tatonetti-lab/tcga-path-reports",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"slides": 235}  # of TCGA-PRAD, those of Lara 2020
    concepts = CONCEPTS

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; slides without barcode or case are rejected."""
        tasks = TASKS if self.choice(labels).name == "slide" else (labels,)
        self.need(root)
        table = first(root, CLINICAL, self.files[1].giver)
        separator = separator_of(table)
        rows = read_table(table, self.files[1].columns, separator=separator)
        cases = unique(rows, CASE)
        studies, rejected = [], []
        for path in Pictures(root, (SLIDES,)).all():
            name = path.rpartition("/")[2]
            barcode = BARCODE.match(name)
            case = cases.get(barcode[1]) if barcode else None
            if barcode is None or case is None:
                reason = "no barcode in its name" if barcode is None else "no row of the case"
                rejected.append(Rejected(path, 0, reason, name))
                continue
            studies.append(_study(root, path, barcode, case, tasks))
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Findings of one task, or of all."""
        return label_set(labels, TASKS if self.choice(labels).name == "slide" else (labels,))

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up slides of ten cases, two of them of normal tissue."""
        rng = np.random.default_rng(23)
        rows = []
        for number in range(10):
            case = f"TCGA-ZZ-{number:04d}"
            patterns = (f"Pattern {3 + number // 4}", f"Pattern {3 + number % 3}")
            rows.append((case, "TCGA-PRAD", 60 + number, *patterns))
            names = [f"{case}-01A-01-{'TS' if number % 3 == 0 else 'DX'}1"]
            names += [f"{case}-11A-01-TS1"] if number < 2 else []
            for name in names:
                tissue = Tissue(1 + number % 5, "he", "TS" in name, False)
                write_slide(folder / SLIDES / f"{name}.svs", draw_slide(tissue, 256, rng))
            report = folder / REPORTS / f"{case}.txt"
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text("FINDINGS: Prostate, radical prostatectomy.\n", encoding="utf-8")
        write_table(folder / "clinical.csv", (CASE, DISEASE, AGE, PRIMARY, SECONDARY), rows)


def _study(
    root: Path, path: str, barcode: re.Match[str], case: Row, tasks: tuple[str, ...]
) -> Study:
    name, sample, preparation = barcode.groups()
    tissue = TISSUE.get(sample, "")
    values = {
        "tissue": tissue,
        "fixation": FIXATION.get(preparation, ""),
        "grade": _grade(case) if tissue == "tumour" else "",
    }
    age = case[AGE] if case[AGE].lower() not in SILENT else ""
    metadata = {"modality": "pathology", "age": age, "project": case.get(DISEASE)}
    return Study(
        study=barcode[0],
        patient=name,
        images=(StudyImage(path, "pathology"),),
        report=_report(root / REPORTS / f"{name}.txt"),
        stated=stated_of(values, tasks),
        dataset="tcga_slides",
        metadata={key: value for key, value in metadata.items() if value},
    )


def _report(path: Path) -> tuple[Passage, ...]:
    """Sections of the report of a case; none where it is not there."""
    return read_report(text_file(path)) if path.is_file() else ()


def _grade(case: Row) -> str:
    """Grade group of ISUP 2014 by the two patterns; empty where one is not stated."""
    cells = [case[column] for column in (PRIMARY, SECONDARY)]
    if any(cell.lower() in SILENT for cell in cells):
        return ""
    found = [PATTERN.fullmatch(cell) for cell in cells]
    if not all(found):
        raise InputError(
            f"{case.file}: row {case.number}: Gleason patterns {' and '.join(map(repr, cells))}",
            "write Pattern 1 to Pattern 5, or leave them empty (not stated)",
        )
    one, other = (int(match[1]) for match in found if match)
    total = one + other
    if total <= 6:
        return "Grade group 1"
    if total == 7:
        return f"Grade group {2 if one == 3 else 3}"
    return f"Grade group {4 if total == 8 else 5}"
