from __future__ import annotations

import csv
from pathlib import Path

import pytest

from encoders.reading.picture import read_parts
from experiments.datasets.covid_blues import CovidBlues
from kg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    CovidBlues().tiny(tmp_path)
    return tmp_path


def changed(path: Path, key: str, column: str, value: str) -> None:
    """Write one cell of a table anew."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        if key in row.values():
            row[column] = value
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_patient_is_a_study_of_all_clips_and_a_clip_one_of_its_own(root: Path) -> None:
    patients = CovidBlues().studies(root, labels="covid")
    clips = CovidBlues().studies(root, labels="lines")
    assert [len(study.images) for study in patients] == [2] * 12
    assert [study.stated["ckg:covid_19"] for study in patients[:2]] == ["absent", "present"]
    assert {study.study for study in clips if study.patient == "5"} == {"5/L1", "5/L1_2"}
    assert clips[0].stated == {"ckg:a_lines": "present", "ckg:b_lines": "absent"}
    assert clips[1].stated == {"ckg:a_lines": "absent", "ckg:b_lines": "present"}
    frames = list(read_parts(root / clips[0].images[0].path, [0, 5]))
    assert [frame.shape for frame in frames] == [(48, 64)] * 2


def test_grades_are_exclusive_and_in_order(root: Path) -> None:
    grades = CovidBlues().label_set(root, "severity")
    assert grades is not None
    assert grades.exclusive
    assert grades.columns == ("0", "1", "2", "3")
    study = CovidBlues().studies(root, labels="severity")[3]
    assert study.stated == {
        concept: "present" if concept == "ckg:lus_score_3" else "absent"
        for concept in grades.findings
    }


def test_what_was_known_before_is_told_and_the_test_is_not(root: Path) -> None:
    changed(root / "clinical_variables.csv", "1", "pat_sex", "")
    first, second, third, fourth = CovidBlues().studies(root, labels="covid")[:4]
    assert [passage.text for passage in first.report] == ["Woman, 40 years. pulse 60 /min."]
    assert second.report[0].text == "Patient, 41 years. fever. pulse 61 /min."
    assert "sex" not in second.metadata
    assert third.metadata["fever"] == "0"
    assert "pulse" not in fourth.metadata
    known = {name for study in (first, second) for name in study.metadata}
    assert known == {"modality", "pictures", "sex", "age", "pulse", "fever"}
    assert [passage.name for passage in fourth.report] == ["indication", "comment"]


def test_clips_and_rows_without_each_other_are_listed(root: Path) -> None:
    (root / "lus_videos" / "patient_0_L1.mp4").unlink()
    extra = (root / "lus_videos" / "patient_0_R2.mp4").rename(
        root / "lus_videos" / "patient_99_R2.mp4"
    )
    reading = CovidBlues().read(root, labels="covid")
    assert [(item.reason, item.item) for item in reading.rejected] == [
        ("no clip", "patient_0_L1"),
        ("no clip", "patient_0_R2"),
        ("no row in clinical_variables.csv", extra.stem),
        ("no clip of the patient", "0"),
    ]
    assert len(reading.studies) == 11


def test_a_clip_that_was_not_read_counts_for_the_test_alone(root: Path) -> None:
    changed(root / "severity.csv", "patient_3_L1", "video_file", "patient_3_L3")
    assert len(CovidBlues().read(root, labels="covid").studies[3].images) == 2
    reading = CovidBlues().read(root, labels="severity")
    assert ("no row in severity.csv", "patient_3_L1") in [
        (item.reason, item.item) for item in reading.rejected
    ]
    assert [study.study for study in reading.studies if study.patient == "3"] == ["3/R2"]


@pytest.mark.parametrize(
    ("column", "value", "labels"),
    [("A-lines", "maybe", "lines"), ("Severity Score", "4", "severity")],
)
def test_wrong_readings_are_refused_and_empty_ones_not_stated(
    root: Path, column: str, value: str, labels: str
) -> None:
    changed(root / "severity.csv", "patient_2_L1", column, value)
    with pytest.raises(InputError, match=rf"row 6, column '{column}': '{value}'"):
        CovidBlues().studies(root, labels=labels)
    changed(root / "severity.csv", "patient_2_L1", column, "")
    studies = {study.study: study for study in CovidBlues().studies(root, labels=labels)}
    assert set(studies["2/L1"].stated) == ({"ckg:b_lines"} if labels == "lines" else set())
