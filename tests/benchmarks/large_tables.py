"""Measure how large published tables are read, beside pandas on the same file in the same run.

python tests/benchmarks/large_tables.py

Tables of torchxrayvision, and made-up ones of MIMIC-CXR's size; no pictures are looked for.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.datasets import DATASETS
from experiments.datasets._label_columns import CHEXPERT14
from experiments.datasets._made_up import write_table
from experiments.datasets._torchxrayvision import shipped

SHIPPED = {
    "nih_chestxray14": ("nih14", "Data_Entry_2017_v2020.csv.gz"),
    "chexpert": ("chexpert14", "chexpert_train.csv.gz"),
    "padchest": ("padchest", "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"),
    "vinbigdata": ("vinbigdata15", "vinbigdata-train.csv.gz"),
}
PICTURES, STUDIES, PATIENTS = 377_110, 227_835, 65_379
HEADER = "| data set | rows | studies | pandas reads the table | studies are read | times |"


def seconds(action: Callable[[], object]) -> tuple[float, object]:
    """Processor time of an action, and what it gives."""
    began = time.process_time()
    result = action()
    return time.process_time() - began, result


def line(name: str, labels: str, table: Path, root: Path) -> str:
    """A row of the result: the table by pandas, the studies by the adapter."""
    alone, frame = seconds(lambda: pd.read_csv(table, dtype=str, keep_default_na=False))
    part = DATASETS.load(name)
    dataset = part(part.Options(pictures="optional"))
    taken, reading = seconds(lambda: dataset.read(root, labels=labels))
    rows, studies = len(frame), len(reading.studies)  # type: ignore[arg-type, attr-defined]
    return (
        f"| {name} | {rows:,} | {studies:,} | {alone:.1f} s | {taken:.1f} s | {taken / alone:.1f} |"
    )


def make_mimic(root: Path) -> Path:
    """Write the tables of pictures and of labels in MIMIC-CXR's size."""
    rng = np.random.default_rng(0)
    patients = 10_000_000 + np.sort(rng.integers(PATIENTS, size=STUDIES))
    studies = np.arange(50_000_000, 50_000_000 + STUDIES)
    second = rng.integers(STUDIES, size=PICTURES - STUDIES)
    of = np.sort(np.concatenate([np.arange(STUDIES), second]))
    views = ("AP", "PA", "LATERAL")
    rows = []
    for number, at in enumerate(of):
        name = f"{number:08x}-{at:08x}-00000000-00000000-00000000"
        patient, study = str(patients[at]), str(studies[at])
        rows.append((name, patient, study, views[number % 3], 3056, 2544))
    table = root / "mimic-cxr-2.0.0-metadata.csv.gz"
    write_table(
        table, ("dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns"), rows
    )
    values = np.array(["", "1.0", "0.0", "-1.0"])[rng.integers(4, size=(STUDIES, 14))]
    labels = [
        (patient, study, *cells)
        for patient, study, cells in zip(patients, studies, values, strict=True)
    ]
    header = ("subject_id", "study_id", *CHEXPERT14)
    write_table(root / "mimic-cxr-2.0.0-chexpert.csv.gz", header, labels)
    return table


def main() -> None:
    """Print the table of results."""
    sys.stdout.write(f"{HEADER}\n|---|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty"
        empty.mkdir()
        for name, (labels, file) in SHIPPED.items():
            sys.stdout.write(line(name, labels, shipped(file), empty) + "\n")
        root = Path(folder) / "mimic_cxr"
        root.mkdir()
        sys.stdout.write(line("mimic_cxr", "chexpert14", make_mimic(root), root) + "\n")


if __name__ == "__main__":
    main()
