from __future__ import annotations

import hmac
from pathlib import Path

import numpy as np
import pytest

from experiments.datasets._pictures import draw
from experiments.datasets.table import Table
from experiments.privacy.pseudonyms import KEY
from experiments.splits.origins import origin_of
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
    assert first.metadata["sex"] == "F"
    assert [origin_of(study) for study in (first, second)] == ["North", "table"]
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
        ("study,Edema\n", "has no rows"),
        ("study,Edemma\na,1\n", "column 'Edemma'"),
        ("study,Edema,pulmonary edema\na,1,1\n", "two columns are ckg:pulmonary_edema"),
        ("study,Edema\na,Yes\n", "row 2, column 'Edema': 'Yes'"),
        ("study,Edema\na,1\na,0\n", "'a' is in rows 2 and 3"),
        ("study,image,Edema\na,c.png,1\n", "row 2, column 'image': no file 'c.png'"),
        ("study,image,view,Edema\na,a.png,side,1\n", "row 2: view 'side'"),
        ("study,image,view,Edema\na,a.png,frontal;lateral,1\n", "1 images but 2 in 'view'"),
        ("study,report,Edema\na,no.txt,1\n", "row 2, column 'report': no file 'no.txt'"),
    ],
)
def test_mistakes_are_named(root: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        table(root, text)
    assert says in error.value.message
    assert "s.csv" in error.value.message


def test_which_csv_is_meant(root: Path) -> None:
    with pytest.raises(InputError, match="must be one table of studies .*, found: none"):
        Table().studies(root, labels="own")
    for name in ("x.csv", "y.csv"):
        (root / name).write_text(f"study,note,Edema\n{name},Cough.,1\n")
    with pytest.raises(InputError, match=r"found: x\.csv, y\.csv"):
        Table().studies(root, labels="own")
    (root / "x.csv").write_text("study,finding,probability\na,Edema,0.5\n")
    assert Table().studies(root, labels="own")[0].study == "y.csv"
    named = Table(Table.Options(file="y.csv"))
    assert named.studies(root, labels="own")[0].study == "y.csv"
    assert Table(Table.Options(label_source=("image",))).label_choices[0].origin == ("image",)


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


@pytest.mark.parametrize(
    ("word", "view"),
    [
        ("PA", "frontal"),
        ("ap", "frontal"),
        ("AP Supine", "frontal"),
        ("AP_supine", "frontal"),
        ("LL", "lateral"),
        ("LATERAL", "lateral"),
        ("Left  Lateral", "lateral"),
        ("L", "lateral"),
        ("Frontal", "frontal"),
        ("axial", "axial"),
        ("", "unknown"),
    ],
)
def test_views_as_headers_state_them(root: Path, word: str, view: str) -> None:
    (study,) = table(root, f"study,image,view,Edema\ns1,a.png,{word},1\n")
    assert [image.view for image in study.images] == [view]  # type: ignore[attr-defined]


def test_a_view_for_each_of_two_pictures(root: Path) -> None:
    (study,) = table(root, "study,image,view,Edema\ns1,a.png;b.png,PA;LL,1\n")
    assert [i.view for i in study.images] == ["frontal", "lateral"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", [r"in\deep\c.png", r".\in\deep\c.png", r"in/deep\c.png"])
def test_backslashes_in_paths(root: Path, path: str) -> None:
    draw(root / "in" / "deep" / "c.png", np.random.default_rng(0))
    (root / "in" / "r.txt").write_text("FINDINGS: Clear.")
    (study,) = table(root, f"study,image,report,Edema\ns1,{path},in\\r.txt,1\n")
    (image,) = study.images  # type: ignore[attr-defined]
    assert "\\" not in image.path
    assert (root / image.path).samefile(root / "in" / "deep" / "c.png")
    assert study.report[0].text == "Clear."  # type: ignore[attr-defined]


def test_a_file_that_is_called_with_a_backslash(root: Path) -> None:
    (root / "a.png").rename(root / "odd\\name.png")
    (study,) = table(root, "study,image,Edema\ns1,odd\\name.png,1\n")
    assert [image.path for image in study.images] == ["odd\\name.png"]  # type: ignore[attr-defined]


def warnings_of(root: Path, *patients: str) -> tuple[str, ...]:
    rows = "".join(f"s{place},{patient},well\n" for place, patient in enumerate(patients))
    (root / "s.csv").write_text(f"study,patient,note\n{rows}", encoding="utf-8")
    return Table().read(root, labels="own").warnings


@pytest.mark.parametrize(
    "patients",
    [("3", "3.0"), ("P7", "p7"), ("003", "3"), ("P 7", "p7"), ("3.", "3.00"), ("p3.0", "P3")],
)
def test_a_patient_written_in_two_ways_is_named(root: Path, patients: tuple[str, str]) -> None:
    (warning,) = warnings_of(root, *patients, "other", patients[0])
    assert "differ only in how they are written" in warning
    assert " and ".join(map(repr, patients)) in warning
    assert "other" not in warning


@pytest.mark.parametrize(
    "patients", [("3", "30"), ("3.0", "3.1"), ("P7", "P70"), ("a", "b"), ("3", "P3"), ("0", "00a")]
)
def test_patients_that_differ_are_not_warned_of(root: Path, patients: tuple[str, str]) -> None:
    assert warnings_of(root, *patients, *patients) == ()


def test_one_warning_names_all_and_no_patient_where_there_is_a_key(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{form}{number}" for number in range(22) for form in ("A", "a")]
    (warning,) = warnings_of(root, *ids)
    assert "'A19' and 'a19'; and 2 more" in warning
    monkeypatch.setenv(KEY, "a key of some length")
    (warning,) = warnings_of(root, "Canary", "CANARY")
    assert "canary" not in warning.lower()
    patients = [study.patient for study in Table().read(root, labels="own").studies]
    assert " and ".join(map(repr, patients)) in warning
