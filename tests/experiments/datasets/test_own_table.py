from __future__ import annotations

import hmac
from pathlib import Path

import numpy as np
import pytest

from experiments.datasets._pictures import draw
from experiments.datasets._pseudonyms import KEY
from experiments.datasets.table import Table
from experiments.splits.origins import source_of
from kg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        draw(tmp_path / f"{name}.png", np.random.default_rng(0))
    (tmp_path / "r.txt").write_text("FINDINGS: Clear.\nIMPRESSION: Normal.")
    return tmp_path


def table(root: Path, text: str) -> list[object]:
    (root / "s.csv").write_text(text, encoding="utf-8")
    return list(Table().studies(root, labels="own"))


def test_all_columns(root: Path) -> None:
    (root / "s.csv").write_text(
        "study,patient,image,report,note,view,modality,sex,source,Cardiomegaly,pleural effusion,"
        "Edema\n"
        "s1,p,a.png;b.png,r.txt,Cough.,frontal;lateral,cxr,F,North,1,-1,\n"
        "s2,,,Findings: Large heart.,,,,,,0,1,1.0\n"
    )
    first, second = Table().studies(root, labels="own")
    assert [(i.path, i.view) for i in first.images] == [("a.png", "frontal"), ("b.png", "lateral")]
    assert [(p.name, p.text) for p in first.report] == [
        ("findings", "Clear."),
        ("impression", "Normal."),
        ("note", "Cough."),
    ]
    assert first.stated == {"ckg:cardiomegaly": "present", "ckg:pleural_effusion": "uncertain"}
    assert first.facts["sex"] == "F"
    assert [source_of(study) for study in (first, second)] == ["North", "table"]
    assert (second.patient, second.images) == ("s2", ())
    assert second.report[0].text == "Large heart."
    assert second.stated["ckg:pulmonary_edema"] == "present"
    label_set = Table().label_set(root, "own")
    assert label_set.findings == (
        "ckg:cardiomegaly",
        "ckg:pleural_effusion",
        "ckg:pulmonary_edema",
    )


def test_a_picture_may_be_a_folder_of_slices(root: Path) -> None:
    (root / "series").mkdir()
    (study,) = table(root, "study,image,modality,Edema\ns1,series,ct,1\n")
    assert [image.path for image in study.images] == ["series"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,Edema\na,1\n", "missing column(s) study"),
        ("study;Edema\na;1\n", "not separated by commas"),
        ("study,Edema\n", "has no rows"),
        ("study,Edemma\na,1\n", "column 'Edemma'"),
        ("study,Edema,pulmonary edema\na,1,1\n", "two columns are ckg:pulmonary_edema"),
        ("study,Edema\na,Yes\n", "row 2, column 'Edema': 'Yes'"),
        ("study,Edema\na,1\na,0\n", "'a' is in rows 2 and 3"),
        ("study,image,Edema\na,c.png,1\n", "row 2, column 'image': no file 'c.png'"),
        ("study,image,view,Edema\na,a.png,side,1\n", "row 2: view 'side'"),
        ("study,image,view,Edema\na,a.png,frontal;lateral,1\n", "1 pictures but 2 in 'view'"),
        ("study,report,Edema\na,no.txt,1\n", "row 2, column 'report': no file 'no.txt'"),
    ],
)
def test_mistakes_are_named(root: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        table(root, text)
    assert says in error.value.message
    assert "s.csv" in error.value.message


def test_which_csv_is_meant(root: Path) -> None:
    with pytest.raises(InputError, match="must be one csv of studies, found: none"):
        Table().studies(root, labels="own")
    for name in ("x.csv", "y.csv"):
        (root / name).write_text(f"study,note,Edema\n{name},Cough.,1\n")
    with pytest.raises(InputError, match=r"found: x\.csv, y\.csv"):
        Table().studies(root, labels="own")
    (root / "x.csv").write_text("study,finding,probability\na,Edema,0.5\n")
    assert Table().studies(root, labels="own")[0].study == "y.csv"
    named = Table(Table.Options(file="y.csv"))
    assert named.studies(root, labels="own")[0].study == "y.csv"
    assert Table(Table.Options(label_source=("image",))).label_choices[0].source == ("image",)


def test_a_dialogue_is_read(root: Path) -> None:
    (root / "s.csv").write_text('study,dialogue,Edema\na,"Patient: I cough.\nDoctor: Fever?",1\n')
    turns = Table().studies(root, labels="own")[0].dialogue
    assert [turn.name for turn in turns] == ["patient", "doctor"]


def test_a_key_turns_ids_into_pseudonyms(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "study,patient,note\nA1,Canary,well\nA2,Canary,well\nCanary,,well\n"
    (root / "own.csv").write_text(text, encoding="utf-8")

    def names() -> list[tuple[str, str]]:
        return [(one.study, one.patient) for one in Table().studies(root, labels="own")]

    assert names() == [("A1", "Canary"), ("A2", "Canary"), ("Canary", "Canary")]
    monkeypatch.setenv(KEY, "a key of some length")
    first = names()
    assert "Canary" not in str(first)
    assert len({study for study, _ in first}) == 3
    # one patient stays one, and a study that names its own patient is not told by it
    assert first[0][1] == first[1][1] == first[2][1] != first[2][0]
    by_hand = hmac.new(b"a key of some length", b"patient\0Canary", "sha256").hexdigest()
    assert first[0][1] == by_hand[:16]
    assert names() == first
    monkeypatch.setenv(KEY, "another key of some length")
    assert names()[0] != first[0]
    monkeypatch.setenv(KEY, "short")
    with pytest.raises(InputError, match="fewer than 16 characters"):
        names()
