"""The tables torchxrayvision brings give the counts their publications print."""

from __future__ import annotations

import gzip
import inspect
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.datasets import DATASETS
from experiments.datasets._layout import Reading
from experiments.datasets._torchxrayvision import shipped, table_of
from kg.errors import InputError
from kg.files.store import load_shipped

NOWHERE = Path(__file__).parent
"""A folder that is there and holds no data set: every table comes from the package."""

NIH14 = {
    "Atelectasis": 11559,
    "Cardiomegaly": 2776,
    "Effusion": 13317,
    "Infiltration": 19894,
    "Mass": 5782,
    "Nodule": 6331,
    "Pneumonia": 1431,
    "Pneumothorax": 5302,
    "Consolidation": 4667,
    "Edema": 2303,
    "Emphysema": 2516,
    "Fibrosis": 1686,
    "Pleural_Thickening": 3385,
    "Hernia": 227,
    "normal": 60361,
}
CHEXPERT14 = {
    # positive and uncertain studies, table 1 of Irvin 2019
    "No Finding": (16627, 0),
    "Enlarged Cardiomediastinum": (9020, 10148),
    "Cardiomegaly": (23002, 6597),
    "Lung Opacity": (92669, 4341),
    "Lung Lesion": (6856, 1071),
    "Edema": (48905, 11571),
    "Consolidation": (12730, 23976),
    "Pneumonia": (4576, 15658),
    "Atelectasis": (29333, 29377),
    "Pneumothorax": (17313, 2663),
    "Pleural Effusion": (75696, 9419),
    "Pleural Other": (2441, 1771),
    "Fracture": (7270, 484),
    "Support Devices": (105831, 898),
}
VINBIGDATA_BOXES = {
    "Aortic enlargement": 7162,
    "Atelectasis": 279,
    "Calcification": 960,
    "Cardiomegaly": 5427,
    "Consolidation": 556,
    "ILD": 1000,
    "Infiltration": 1247,
    "Lung Opacity": 2483,
    "Nodule/Mass": 2580,
    "Other lesion": 2203,
    "Pleural effusion": 2476,
    "Pleural thickening": 4842,
    "Pneumothorax": 226,
    "Pulmonary fibrosis": 4655,
}


@cache
def read(name: str, labels: str, **options: Any) -> Reading:
    part = DATASETS.load(name)
    dataset = part(part.Options(pictures="optional", **options))
    reading: Reading = dataset.read(NOWHERE, labels=labels)
    return reading


def counts(reading: Reading) -> tuple[int, int]:
    ids = {study.study for study in reading.studies}
    assert len(ids) == len(reading.studies)
    assert not reading.rejected
    return len(ids), len({study.patient for study in reading.studies})


def stated(reading: Reading, labels: str) -> dict[str, Counter[str]]:
    """How often each published column is stated present, absent and uncertain."""
    columns = load_shipped().label_set(labels)
    names = dict(zip(columns.findings, columns.columns, strict=True))
    found: dict[str, Counter[str]] = {name: Counter() for name in names.values()}
    for study in reading.studies:
        for concept, value in study.stated.items():
            if concept in names:
                found[names[concept]][value] += 1
    return found


def test_nih_labels_are_those_published() -> None:
    reading = read("nih_chestxray14", "nih14")
    assert counts(reading) == (112_120, 30_805)
    found = stated(reading, "nih14")
    assert {name: count["present"] for name, count in found.items()} == NIH14
    views = Counter(study.metadata["view"] for study in reading.studies)
    assert views == {"PA": 67_310, "AP": 44_810}


def test_nih_boxes_and_readings() -> None:
    dataset = DATASETS.load("nih_chestxray14")()
    boxes = dataset.boxes(NOWHERE)
    assert (len(boxes), len({box.study for box in boxes})) == (984, 880)
    assert all(0 <= box.x <= box.x + box.width <= 1024 for box in boxes)
    known = {study.study for study in read("nih_chestxray14", "nih14").studies}
    assert {box.study for box in boxes} <= known
    reread = read("nih_chestxray14", "nih_google4")
    table = pd.read_csv(shipped("google2019_nih-chest-xray-labels.csv.gz"))
    answered = [study for study in reread.studies if study.stated]
    assert len(answered) == len(table) == 4376
    for column, concept in (("Pneumothorax", "pneumothorax"), ("Fracture", "fracture")):
        present = sum(study.stated[f"ckg:{concept}"] == "present" for study in answered)
        assert present == (table[column] == "YES").sum()


def test_chexpert_labels_are_those_published() -> None:
    reading = read("chexpert", "chexpert14")
    assert counts(reading) == (187_641, 64_540)
    found = stated(reading, "chexpert14")
    assert {n: (c["present"], c["uncertain"]) for n, c in found.items()} == CHEXPERT14
    assert sum(CHEXPERT14["No Finding"]) < len(reading.studies)


def test_padchest_studies_patients_and_labels() -> None:
    reading = read("padchest", "padchest")
    # two patient ids share one study, so they are one group
    assert counts(reading) == (109_931, 67_625 - 1)
    table = pd.read_csv(
        shipped("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"),
        usecols=["StudyID", "Labels"],
        dtype=str,
    )
    assert len(table) == 160_861
    firsts = table.drop_duplicates("StudyID").Labels.fillna("nan")
    for word, concept in (("cardiomegaly'", "cardiomegaly"), ("scoliosis'", "scoliosis")):
        present = sum(study.stated.get(f"ckg:{concept}") == "present" for study in reading.studies)
        assert present == firsts.str.contains(word, regex=False).sum()
    assert sum(not study.stated for study in reading.studies) == (firsts == "nan").sum()
    assert {passage.language for study in reading.studies for passage in study.report} == {"es"}


def test_every_padchest_label_is_in_the_graph() -> None:
    graph = load_shipped()
    findings = {
        concept
        for name in ("padchest", "padchest_differential")
        for concept in graph.label_set(name).findings
    }
    place = Path(str(inspect.getfile(DATASETS.load("padchest")))).parent
    rows = pd.read_csv(place / "padchest_labels.tsv", sep="\t", keep_default_na=False)
    assert set(rows.concept) - {""} <= findings
    assert list(rows.label[rows.concept == ""]) == ["lipomatosis"]


def test_vinbigdata_findings_and_boxes_are_those_published() -> None:
    reading = read("vinbigdata", "vinbigdata15")
    assert counts(reading) == (15_000, 15_000)
    found = stated(reading, "vinbigdata15")
    assert found["No finding"] == {"present": 10_606, "absent": 4_394}
    boxes = DATASETS.load("vinbigdata")().boxes(NOWHERE)
    columns = load_shipped().label_set("vinbigdata15")
    names = dict(zip(columns.findings, columns.columns, strict=True))
    assert Counter(names[box.concept] for box in boxes) == VINBIGDATA_BOXES
    assert {box.reader for box in boxes} <= {f"R{number}" for number in range(1, 18)}


def test_rsna_and_siim_are_those_published() -> None:
    reading = read("rsna_pneumonia", "rsna_pneumonia")
    assert counts(reading) == (26_684, 26_684)
    said = Counter(study.stated["ckg:pneumonia"] for study in reading.studies)
    assert said == {"present": 6_012, "absent": 20_672}
    assert all(image.view == "frontal" for study in reading.studies for image in study.images)
    boxes = DATASETS.load("rsna_pneumonia")().boxes(NOWHERE)
    ill = {study.study for study in reading.studies if study.stated["ckg:pneumonia"] == "present"}
    assert (len(boxes), {box.study for box in boxes}) == (9_555, ill)
    reading = read("siim_pneumothorax", "siim_pneumothorax")
    assert counts(reading) == (12_047, 12_047)
    said = Counter(study.stated["ckg:pneumothorax"] for study in reading.studies)
    assert said == {"present": 2_669, "absent": 9_378}
    outlines = DATASETS.load("siim_pneumothorax")().boxes(NOWHERE)
    assert len(outlines) == 3_576
    assert all(box.x + box.width <= 1024 and box.y + box.height <= 1024 for box in outlines)


def test_openi_reports_are_those_published() -> None:
    reading = read("openi", "mesh")
    assert counts(reading) == (3_955, 3_955)
    normal = sum(s.stated.get("ckg:no_finding") == "present" for s in reading.studies)
    assert normal == 1_391
    sections = Counter(passage.name for study in reading.studies for passage in study.report)
    assert (sections["findings"], sections["impression"]) == (3_425, 3_921)


def test_two_of_three_readers_leave_the_rest_uncertain() -> None:
    one, two = (
        stated(read("vinbigdata", "vinbigdata15", **options), "vinbigdata15")
        for options in ({}, {"readers": 2})
    )
    for name, count in two.items():
        loose = one[name]
        assert count["present"] <= loose["present"]
        if name != "No finding":
            assert count["present"] + count["uncertain"] == loose["present"]


def test_a_row_of_a_large_table_costs_few_calls(tmp_path: Path, calls: Callable[..., int]) -> None:
    with gzip.open(shipped("chexpert_train.csv.gz"), "rt", encoding="utf-8") as lines:
        (tmp_path / "train.csv").write_text("".join(islice(lines, 2001)))
    part = DATASETS.load("chexpert")
    dataset = part(part.Options(pictures="optional"))
    dataset.read(tmp_path, labels="chexpert14")
    assert calls(lambda: dataset.read(tmp_path, labels="chexpert14")) < 2000 * 40


def test_the_package_is_not_imported_for_its_tables(tmp_path: Path, processes: Any) -> None:
    code = (
        "import sys; from experiments.datasets._torchxrayvision import shipped;"
        "shipped('chexpert_train.csv.gz');"
        "assert not {'torch', 'torchxrayvision'} & set(sys.modules)"
    )
    done = processes.python(code)
    assert done.returncode == 0, done.stderr
    with pytest.raises(InputError, match="does not bring no_such"):
        shipped("no_such.csv")
    (tmp_path / "own.csv").write_text("a\n")
    assert table_of(tmp_path, "other.csv|own.csv", "chexpert_train.csv.gz").name == "own.csv"
    assert table_of(tmp_path, "other.csv", "chexpert_train.csv.gz").name == "chexpert_train.csv.gz"
