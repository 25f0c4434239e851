"""Stored attributes of scored studies: age bands, one spelling of a sex, and no more."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from encoders.study import Study, StudyImage
from experiments.records.studies import (
    ScoredStudy,
    age_band,
    read_studies,
    scored_study,
    write_studies,
)
from kg.errors import InputError

CHEST = Study(
    study="s1",
    patient="p1",
    images=(StudyImage("a.png", "ct", "axial"), StudyImage("b.png", "cxr")),
    metadata={
        "sex": "Female",
        "age": "067Y",
        "view": "PA+L",
        "document": "example.org",
        "location": "Ward 7",
        "date": "2020-03-01",
    },
)


def test_facts_become_the_columns_of_subgroups() -> None:
    assert scored_study(CHEST, "test") == ScoredStudy(
        "s1", "p1", "test", "ct+cxr", "L+PA", "F", "65-79", "example.org"
    )


def test_what_is_not_known_is_empty_and_views_fall_back_to_the_pictures() -> None:
    bare = Study("s2", "p2", images=(StudyImage("a.png", "cxr", "lateral"),), dataset="openi")
    assert scored_study(bare, "test") == ScoredStudy("s2", "p2", "test", "cxr", "lateral")
    said = Study(
        "s3", "p3", images=(StudyImage("a.png", "cxr"),), metadata={"sex": "O", "view": ""}
    )
    assert scored_study(said, "test") == ScoredStudy("s3", "p3", "test", "cxr")


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("0", "0-17"),
        ("17.9", "0-17"),
        ("011M", "0-17"),
        ("18", "18-39"),
        ("39", "18-39"),
        ("40", "40-64"),
        ("45 years", "40-64"),
        ("64.5", "40-64"),
        ("65.0", "65-79"),
        ("80", "80+"),
        ("90+", "80+"),
        ("000", "0-17"),
        ("120", "80+"),
        ("155", ""),
        ("411", ""),
        ("", ""),
        ("old", ""),
        ("-5", ""),
        ("2020-03-01", ""),
    ],
)
def test_an_age_is_kept_as_a_band(age: str, band: str) -> None:
    assert age_band(age) == band


def test_rows_come_back_and_hold_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "studies.parquet"
    rows = (scored_study(CHEST, "validation"), scored_study(CHEST, "test"))
    write_studies(path, rows)
    assert read_studies(path) == rows
    words = {value for row in pq.read_table(path).to_pylist() for value in row.values()}
    assert not words & {"067Y", "67", "Ward 7", "2020-03-01"}


def test_an_older_run_has_none_and_a_damaged_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "studies.parquet"
    assert read_studies(path) == ()
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"studies\.parquet cannot be read"):
        read_studies(path)
