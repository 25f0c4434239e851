"""Answers with evidence: pages, JSON, tables and lines, for every kind of input."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from experiments.cli.main import main
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.records.folder import RunFolder
from experiments.runner.run import run_experiment


@pytest.fixture(scope="module")
def run(finished_copy: Callable[[str], RunFolder]) -> RunFolder:
    return finished_copy("explained")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures of the tiny own table, and a study folder."""
    DATASETS.load("table")().tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    case = tmp_path / "case"
    case.mkdir()
    shutil.copy(tmp_path / "pictures" / "0.png", case)
    (case / "report.txt").write_text(
        "Indication: Cough.\nFindings: Sternotomy wires (Gudrunsen). No pneumothorax. Chest tube."
    )
    return tmp_path


@pytest.fixture
def ask(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run_command(command: str, *words: str) -> tuple[int, str, str]:
        code = main([command, *words, "--run", run.run, "--runs", str(run.path.parent)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def answer(path: Path) -> dict[str, Any]:
    (one,) = json.loads(path.read_text())
    found: dict[str, Any] = one
    return found


def test_a_study_folder_has_a_map_words_and_certainty(ask: Any, own: Path) -> None:
    code, printed, notes = ask("explain", "case", "-o", "a.json", "--map", "grad_cam",
                               "--map", "occlusion")  # fmt: skip
    assert code == 0, notes
    found = answer(own / "a.json")
    assert found["use"].startswith("For research use only")
    assert found["exposed"] is None
    for one in found["findings"]:
        assert {each["method"] for each in one["maps"]} == {"occlusion", "grad_cam"}
        spans = [
            found["passages"][w["passage"]]["text"][w["start"] : w["end"]] for w in one["words"]
        ]
        assert "tube" in spans
        assert set(one["inputs"]) == {"image", "text"}
        assert 0 <= one["certainty"]["probability"] <= 1
    assert any(one["facts"] for one in found["findings"])
    assert found["unusual"] is None or found["unusual"]["threshold"] > 0
    assert printed.startswith("case:")
    assert len(printed.splitlines()) < 60


def test_the_page_is_self_contained_and_tells_the_answer(ask: Any, own: Path) -> None:
    code, _, notes = ask("predict", "case", "pictures/1.png", "-o", "a.html")
    assert code == 0, notes
    page = (own / "a.html").read_text()
    assert not re.search(r"(src|href)=[\"']?https?:", page)
    assert page.count('class="study"') == 2
    assert 'data-control="level"' in page
    assert 'class="map"' in page
    assert "Gudrunsen" in page
    assert "not a medical device" in page


@pytest.mark.parametrize("kind", ["dicom", "volume"])
def test_maps_of_dicom_and_volumes_have_the_shape_of_their_pictures(
    ask: Any, own: Path, written: Callable[..., Path], kind: str
) -> None:
    rng = np.random.default_rng(0)
    if kind == "dicom":
        path = written(own / "a.dcm", rng.integers(0, 4000, (60, 90)).astype(np.uint16))
        shape = (43, 64)
    else:
        values = rng.integers(-1000, 200, (50, 40, 9)).astype(np.int16)
        path = own / "a.nii.gz"
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
        shape = (51, 64)
    code, _, notes = ask("explain", str(path), "-o", "a.json")
    assert code == 0, notes
    found = answer(own / "a.json")
    assert len(found["images"]) == (1 if kind == "dicom" else 4)
    maps = found["findings"][0]["maps"]
    assert {one["image"] for one in maps} == set(range(len(found["images"])))
    for one in maps:
        assert np.shape(one["values"]) == shape
        assert np.any(one["values"])


@pytest.mark.parametrize(("subset", "told"), [("train", True), ("test", False)])
def test_what_training_has_seen_is_told(
    ask: Any, run: RunFolder, own: Path, subset: str, told: bool
) -> None:
    where = json.loads(run.splits.read_text())["assignments"]
    study = next(name for name, one in where.items() if one == subset)
    code, printed, notes = ask("explain", f"synthetic:{study}", "-o", "a.csv")
    assert code == 0, notes
    rows = list(csv.DictReader((own / "a.csv").open()))
    assert len(rows) == len(run.load_record().findings)
    assert {row["known_from_training"] for row in rows} == {"study" if told else ""}
    assert ("training has seen this study" in printed) == told


def test_a_picture_that_training_has_seen_is_known_by_its_bytes(
    ask: Any, run: RunFolder, own: Path
) -> None:
    seen = {row[0] for row in json.loads((run.path / "seen.json").read_text())["pictures"]}
    pictures = run.path.parent.rglob("*.png")
    known = next(p for p in pictures if hashlib.sha256(p.read_bytes()).hexdigest() in seen)
    shutil.copy(known, own / "renamed.png")
    code, printed, notes = ask("explain", "renamed.png")
    assert code == 0, notes
    assert "training has seen this picture" in printed


def test_two_runs_give_a_range(
    ask: Any, run: RunFolder, own: Path, small: dict[str, Any], small_runs: Path
) -> None:
    second = Experiment.model_validate({**small, "name": "finished", "seed": 1})
    other = run_experiment(second, root=Path(), runs=small_runs)
    code, _, notes = ask("explain", "case", "--run", other, "-o", "a.json")
    assert code == 0, notes
    for one in answer(own / "a.json")["findings"]:
        sure = one["certainty"]
        assert sure["low"] < sure["probability"] < sure["high"]
        assert sure["runs"] == 2
        assert sure["conformal"] is None
    code, _, notes = ask("predict", "case", "--run", other)
    assert code == 3
    assert "--evidence" in notes


def test_a_finding_not_taught_is_named(ask: Any, own: Path) -> None:
    code, printed, _ = ask("explain", "case", "--finding", "covid", "-o", "a.html")
    assert code == 0
    assert "zero-shot" in printed
    assert "1 not taught" in (own / "a.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere.png",), "no such file"),
        (("synthetic:nobody",), "no study is called nobody"),
        (("case", "-o", "a.pdf"), "cannot be written as .pdf"),
        (("synthetic",), "too many"),
    ],
)
def test_what_cannot_be_explained_is_refused(ask: Any, own: Path, words: Any, message: str) -> None:
    code, _, notes = ask("explain", *words)
    assert code == 3
    assert message in notes


def test_under_a_key_nothing_of_the_study_is_written(
    ask: Any, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KGDX_PSEUDONYM_KEY", "a key of some length")
    code, printed, notes = ask("explain", "case", "-o", "a.html")
    assert code == 0, notes
    page = (own / "a.html").read_text()
    for text in (page, printed):
        assert "Gudrunsen" not in text
        assert "case" not in text.split("<style>")[0]
        assert "data:image" not in text


def test_an_answer_is_written_as_fhir_resources(ask: Any, own: Path) -> None:
    pytest.importorskip("fhir.resources")
    code, _, notes = ask("predict", "case", "pictures/1.png", "-o", "a.fhir.json")
    assert code == 0, notes
    entries = json.loads((own / "a.fhir.json").read_text())["entry"]
    kinds = [entry["resource"]["resourceType"] for entry in entries]
    assert kinds.count("DiagnosticReport") == 2
    assert kinds.count("Device") == 1


def test_an_answer_about_a_dicom_file_is_written_as_dicom(
    ask: Any, own: Path, written: Callable[..., Path]
) -> None:
    pytest.importorskip("highdicom")
    rng = np.random.default_rng(0)
    named = {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.5"}
    written(own / "film.dcm", rng.integers(0, 4000, (60, 90)).astype(np.uint16), **named)
    code, _, notes = ask("predict", "film.dcm", "-o", "report.dcm")
    assert code == 0, notes
    report = pydicom.dcmread(own / "report.dcm")
    assert report.SOPClassUID.name == "Comprehensive SR Storage"
    assert report.StudyInstanceUID == "1.2.3.4"
    code, _, notes = ask("predict", "film.dcm", "pictures/1.png", "-o", "report.dcm")
    assert (code, "is of one study" in notes) == (3, True)
    code, _, notes = ask("predict", "pictures/1.png", "-o", "report.dcm")
    assert (code, "DICOM files" in notes) == (3, True)
