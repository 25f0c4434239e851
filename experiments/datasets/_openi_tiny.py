"""A made-up copy of Open-i's Kaggle layout: invented words, drawn images, no patient."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.datasets._label_columns import CHEXPERT14, NIH14
from experiments.datasets._pictures import draw

STUDIES = 16
FINDINGS = (
    ("Cardiomegaly", "Cardiomegaly/mild", "The heart is enlarged."),
    ("Effusion", "Pleural Effusion/left", "There is a small left pleural effusion."),
    ("Atelectasis", "Pulmonary Atelectasis/base", "Streaky atelectasis at the right base."),
    ("normal", "normal", "The lungs are clear. No pleural effusion."),
)


def write(folder: Path) -> None:
    """Write 16 studies; the findings take turns and the last study has no lateral view."""
    rng = np.random.default_rng(16)
    reports, projections, gold, machine = [], [], [], {}
    for number in range(1, STUDIES + 1):
        column, heading, sentence = FINDINGS[number % len(FINDINGS)]
        for place, view in enumerate(("Frontal", "Lateral")):
            if number == STUDIES and view == "Lateral":
                continue
            name = f"{number}_IM-{number:04d}-{place}001.dcm.png"
            draw(folder / "images" / name, rng, bright=column != "normal")
            projections.append((number, name, view))
        reports.append((number, heading, "Cough.", "None.", sentence, f"Impression: {sentence}"))
        gold.append((f"CXR{number}", *(int(name == column) for name in NIH14)))
        machine[f"ecgen-radiology/{number}.xml"] = [
            int(concept == NIH14[column]) for concept in CHEXPERT14.values()
        ]
    sections = ("uid", "MeSH", "indication", "comparison", "findings", "impression")
    _table(folder / "indiana_reports.csv", sections, reports)
    _table(folder / "indiana_projections.csv", ("uid", "filename", "projection"), projections)
    _table(folder / "openi_gld_std14.csv", ("filename", *NIH14), gold)
    (folder / "chexpert14_file2label.json").write_text(json.dumps(machine), encoding="utf-8")


def _table(path: Path, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)
