from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders.study import Study
from experiments.datasets._boxes import Region
from experiments.datasets._near_duplicates import join, published
from experiments.datasets._pictures import Pictures, draw, stem
from experiments.datasets.cov_ctr import CovCTR
from experiments.datasets.covid_chestxray import COLUMNS, LUNGS, CovidChestXray
from experiments.datasets.covid_multi_imaging import CovidMultiImaging
from experiments.datasets.figure1 import Figure1
from experiments.datasets.pocus import POCUS
from kg.errors import InputError

COVID = "ckg:covid_19"


def by_id(studies: list[Study]) -> dict[str, Study]:
    return {study.study: study for study in studies}


def chestxray(root: Path, rows: list[dict[str, str]]) -> CovidChestXray:
    rng = np.random.default_rng(0)
    basic = {"modality": "X-ray", "folder": "images", "view": "PA", "offset": "0"}
    with (root / "metadata.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow(basic | row)
            if row["filename"] != "gone.png":
                draw(root / "images" / row["filename"], rng)
    return CovidChestXray()


def row(patient: str, finding: str, file: str, **more: str) -> dict[str, str]:
    return {"patientid": patient, "finding": finding, "filename": file, **more}


def test_rules_for_sars_todo_and_patients_under_both_labels(tmp_path: Path) -> None:
    rows = [
        row("1", "COVID-19, ARDS", "a.png", clinical_notes="Fever."),
        row("1", "No Finding", "b.png", offset="9"),
        row("2", "SARS", "c.png"),
        row("3", "No Finding", "d.png"),
        row("4", "todo", "e.png"),
    ]
    dataset = chestxray(tmp_path, rows)
    reading = dataset.read(tmp_path, labels="covid")
    stated = {study.study: study.stated[COVID] for study in reading.studies}
    assert stated == {
        "1/cxr/0": "present",
        "1/cxr/9": "uncertain",
        "2/cxr/0": "absent",
        "3/cxr/0": "absent",
    }
    assert [(item.row, item.reason) for item in reading.rejected] == [(6, "finding is todo")]


def test_a_study_is_a_patient_a_day_and_a_modality(tmp_path: Path) -> None:
    rows = [
        row("1", "COVID-19", "a.png", clinical_notes="Same.", url="https://www.x.org/covid"),
        row("1", "COVID-19", "b.png", view="L", clinical_notes="Same."),
        row("1", "COVID-19", "c.png", modality="CT", view="Axial"),
        row("1", "COVID-19", "d.png", offset="3", date="May 1, 2020"),
    ]
    studies = by_id(chestxray(tmp_path, rows).studies(tmp_path, labels="covid"))
    assert list(studies) == ["1/cxr/0", "1/ct/0", "1/cxr/3@May_1,_2020"]
    first = studies["1/cxr/0"]
    assert [image.view for image in first.images] == ["frontal", "lateral"]
    assert [(p.name, p.text) for p in first.report] == [("note", "Same.")]
    assert first.metadata["document"] == "x.org"
    assert (first.metadata["width"], first.metadata["height"]) == ("64", "48")


def test_patients_with_one_picture_are_one_group_and_the_second_row_is_listed(
    tmp_path: Path,
) -> None:
    rows = [
        row("7", "Pneumonia", "a.png"),
        row("30", "Pneumonia", "a.png"),
        row("30", "Pneumonia", "b.png", offset="2"),
        row("8", "Pneumonia", "gone.png"),
        row("9", "Pneumonia", "v.nii", folder="volumes"),
    ]
    rows[-1]["filename"] = "gone.png"
    draw(tmp_path / "images" / "extra.png", np.random.default_rng(0))
    reading = chestxray(tmp_path, rows).read(tmp_path, labels="covid")
    assert {study.study: study.patient for study in reading.studies} == {
        "7/cxr/0": "30",
        "30/cxr/2": "30",
    }
    assert [(item.row, item.reason) for item in reading.rejected] == [
        (3, "its picture is already in an earlier row"),
        (5, "picture not found"),
        (6, "folder is 'volumes', not images"),
        (0, "no row in metadata.csv"),
    ]


def test_boxes_of_the_lungs_are_shares_of_their_picture(tmp_path: Path) -> None:
    CovidChestXray().tiny(tmp_path)
    given = tmp_path / LUNGS
    (boxes,) = CovidChestXray().lungs(tmp_path).values()
    assert boxes[0] == Region(4 / 64, 8 / 48, 28 / 64, 40 / 48)
    assert len(boxes) == 2
    words = json.loads(given.read_text())
    words["annotations"].append({"image_id": 1, "bbox": [None] * 4})  # a lung that is not seen
    given.write_text(json.dumps(words))
    assert CovidChestXray().lungs(tmp_path) == {"images/made-up-0.png": boxes}
    words["annotations"].append({"image_id": 7, "bbox": [1, 2, 3, 4]})
    given.write_text(json.dumps(words))
    with pytest.raises(InputError, match="not COCO boxes: KeyError"):
        CovidChestXray().lungs(tmp_path)
    given.unlink()
    assert CovidChestXray().lungs(tmp_path) == {}


def test_an_unknown_modality_is_an_error(tmp_path: Path) -> None:
    dataset = chestxray(tmp_path, [row("1", "SARS", "a.png", modality="MRI")])
    with pytest.raises(InputError, match="row 2: modality 'MRI'"):
        dataset.studies(tmp_path, labels="covid")


def test_reports_in_two_languages_and_pictures_without_any(tmp_path: Path) -> None:
    CovCTR().tiny(tmp_path)
    path = tmp_path / "annotation.json"
    entries = json.loads(path.read_text())["train"]
    path.write_text(json.dumps({"test": entries[2:]}, ensure_ascii=False))
    studies = by_id(CovCTR().studies(tmp_path, labels="covid"))
    assert studies["made-up-0.png"].stated == {}
    assert studies["made-up-0.png"].report == ()
    assert [p.language for p in studies["made-up-2.png"].report] == ["en", "zh"]
    assert studies["made-up-2.png"].patient == studies["made-up-3.png"].patient
    assert studies["made-up-2.png"].stated == {COVID: "present"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"COVID": 2}, "entry 1: COVID 2"),
        ({"label1": "french"}, "label1 'french'"),
    ],
)
def test_wrong_entries_are_errors(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    CovCTR().tiny(tmp_path)
    path = tmp_path / "annotation.json"
    entries = json.loads(path.read_text())["train"]
    entries[0] |= change
    path.write_text(json.dumps({"train": entries}))
    with pytest.raises(InputError, match=says):
        CovCTR().studies(tmp_path, labels="covid")


def test_without_the_patient_table_the_paper_is_the_group(tmp_path: Path) -> None:
    CovCTR().tiny(tmp_path)
    (tmp_path / "patients.derived.csv").unlink()
    for old, new in (("0", "paper-p3-8%0"), ("1", "paper-p4-9"), ("2", "71%0"), ("3", "71%2")):
        (tmp_path / "images" / f"made-up-{old}.png").rename(tmp_path / "images" / f"{new}.png")
    groups = {s.study: s.patient for s in CovCTR().studies(tmp_path, labels="covid")}
    assert groups["paper-p3-8%0.png"] == groups["paper-p4-9.png"] == "paper"
    assert groups["71%0.png"] == groups["71%2.png"] == "71"


def test_clips_and_the_exclusive_label(tmp_path: Path) -> None:
    POCUS().tiny(tmp_path)
    studies = by_id(POCUS(POCUS.Options(frames=2)).studies(tmp_path, labels="pocus4"))
    clip = studies["made-up-0"]
    assert [image.path[-8:-4] for image in clip.images] == ["0000", "0002"]
    assert clip.stated["ckg:no_finding"] == "present"
    assert sorted(clip.stated.values()) == ["absent", "absent", "absent", "present"]
    assert clip.metadata["pictures"] == "3"
    assert len(studies["made-up-9"].images) == 1
    assert studies["made-up-0"].patient == studies["made-up-8"].patient
    covid = by_id(POCUS().studies(tmp_path, labels="covid"))
    assert covid["made-up-3"].stated == {COVID: "present"}
    assert covid["made-up-0"].stated == {COVID: "absent"}


def test_an_unsure_label_is_uncertain(tmp_path: Path) -> None:
    POCUS().tiny(tmp_path)
    index = (
        (tmp_path / "index.csv")
        .read_text()
        .replace(
            "made-up-3.mp4_frame0000.jpg,video,0,convex,0",
            "made-up-3.mp4_frame0000.jpg,video,0,convex,1",
        )
    )
    (tmp_path / "index.csv").write_text(index)
    assert by_id(POCUS().studies(tmp_path, labels="covid"))["made-up-3"].stated == {
        COVID: "uncertain"
    }
    assert by_id(POCUS().studies(tmp_path, labels="pocus4"))["made-up-3"].stated == {
        COVID: "uncertain"
    }


def test_the_published_ultrasound_layout(tmp_path: Path) -> None:
    POCUS().tiny(tmp_path)
    (tmp_path / "index.csv").unlink()
    (tmp_path / "data" / "pocus_videos" / "linear" / "label_uncertain").mkdir(parents=True)
    (tmp_path / "data" / "pocus_images" / "convex").mkdir(parents=True)
    (tmp_path / "data/pocus_videos/linear/label_uncertain/made-up-1.mp4").write_bytes(b"clip")
    (tmp_path / "images" / "made-up-9.jpg").rename(
        tmp_path / "data/pocus_images/convex/made-up-9.jpg"
    )
    (tmp_path / "data/pocus_images/convex/unknown.jpg").write_bytes(b"x")
    reading = POCUS().read(tmp_path, labels="covid")
    studies = by_id(list(reading.studies))
    assert studies["made-up-1"].images[0].view == "linear"
    assert studies["made-up-1"].stated == {COVID: "uncertain"}
    assert studies["made-up-9"].images[0].view == "convex"
    assert [item.reason for item in reading.rejected] == ["no row in the metadata"]


def test_an_unknown_class_is_an_error(tmp_path: Path) -> None:
    POCUS().tiny(tmp_path)
    path = tmp_path / "dataset_metadata.csv"
    path.write_text(path.read_text().replace(",viral pneumonia,", ",virus,", 1))
    with pytest.raises(InputError, match=r"row 4: Label 'virus'"):
        POCUS().studies(tmp_path, labels="covid")


def test_the_cohort_names_its_sets_and_joins_near_duplicates(tmp_path: Path) -> None:
    dataset = CovidMultiImaging()
    dataset.tiny(tmp_path)
    plain = by_id(dataset.studies(tmp_path, labels="covid"))
    assert {study.dataset for study in plain.values()} == {"covid_chestxray", "cov_ctr", "pocus"}
    assert all(name.startswith(f"{study.dataset}:") for name, study in plain.items())
    assert all((tmp_path / i.path).is_file() for s in plain.values() for i in s.images)
    (tmp_path / "near_duplicates.derived.csv").write_text(
        "dataset_a,file_a,dataset_b,file_b,distance\n"
        "covid-chestxray-dataset,images/made-up-5.png,cov-ctr,images/made-up-4.png,3\n"
    )
    joined = by_id(dataset.studies(tmp_path, labels="covid"))
    group = joined["covid_chestxray:6/ct/2"].patient
    assert group == joined["cov_ctr:made-up-4.png"].patient == "cov_ctr:made-up patient 2"
    assert plain["covid_chestxray:6/ct/2"].patient == "covid_chestxray:6"
    second = dataset.studies(tmp_path, labels="pocus4")
    assert all(bool(study.stated) == (study.dataset == "pocus") for study in second)


def test_figure1_is_windows_text(tmp_path: Path) -> None:
    Figure1().tiny(tmp_path)
    studies = Figure1().studies(tmp_path, labels="covid")
    assert "°C" in studies[0].report[0].text
    assert [bool(study.stated) for study in studies[:3]] == [True, True, False]


def test_pictures_are_found_by_stem_and_never_guessed(tmp_path: Path) -> None:
    for name in ("a.png.jpg", "b.jpg", "c.png", "c.jpg", "1%0.png", "1%0.jpg.jpg"):
        (tmp_path / name).write_bytes(b"x")
    pictures = Pictures(tmp_path, ["."])
    assert pictures.find("a.png") == "a.png.jpg"
    assert pictures.find("b.dcm.png") == "b.jpg"
    assert pictures.find("images/c.png") == "c.png"
    assert pictures.find("none.png") is None
    assert pictures.find("../../etc/passwd") is None
    with pytest.raises(InputError, match=r"could be any of c\.jpg, c\.png"):
        pictures.find("c")
    assert stem("1_IM-0001-4001.dcm.png") == "1_IM-0001-4001"
    assert published("images/a.png.jpg") == "a.png"
    assert published("images/b.jpg") == "b.jpg"


def test_groups_are_joined_through_chains() -> None:
    pictures = [
        (("x", "1"), "c"),
        (("x", "2"), "b"),
        (("x", "3"), "a"),
        (("x", "1"), "d"),
        (("x", "4"), "e"),
    ]
    pairs = [(("x", "1"), ("x", "2")), (("x", "3"), ("x", "2")), (("x", "4"), ("y", "9"))]
    assert join(pictures, pairs) == {"a": "a", "b": "a", "c": "a", "d": "a", "e": "e"}
