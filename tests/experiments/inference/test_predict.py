"""Predicting with a finished run: every kind of input, what is missing, and what cannot be read."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from experiments.cli.main import main
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.inference.predict import PredictionRequest, predict_inputs
from experiments.records.folder import RunFolder, find_run
from experiments.records.predictions import read_predictions
from experiments.runner.run import run_experiment
from kg.errors import InputError

COLUMNS = "study,finding,label,probability,basis,threshold,above,calibrated"


@pytest.fixture(scope="module")
def run(finished_copy: Callable[[str], RunFolder]) -> RunFolder:
    return finished_copy("predicted")


@pytest.fixture(scope="module")
def logistic(small: dict[str, Any], small_runs: Path) -> RunFolder:
    plain = {**small, "name": "logistic", "system": {"name": "logistic_image"}, "stages": []}
    plain["text"] = {"test": "none"}
    experiment = Experiment.model_validate(plain)
    return find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures and texts of the tiny own table."""
    DATASETS.load("table")().tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_data_set_gives_the_probabilities_of_the_run(run: RunFolder) -> None:
    test = {part.part: part for part in read_predictions(run.predictions)}["test"]
    made = predict_inputs(["synthetic"], run, PredictionRequest())
    place = {study: row for row, study in enumerate(made.prediction.studies)}
    assert made.prediction.findings == test.findings
    again = made.prediction.probabilities[[place[study] for study in test.studies]]
    np.testing.assert_allclose(again, test.probabilities, atol=1e-6)
    assert any("seen in training" in note for note in made.notes)


def test_pictures_and_a_study_folder(run: RunFolder, own: Path) -> None:
    case = own / "case"
    case.mkdir()
    shutil.copy(own / "pictures" / "0.png", case)
    shutil.copy(own / "pictures" / "1.png", case)
    (case / "report.txt").write_text("Findings: Sternotomy wires. The heart is enlarged.")
    (own / "only.txt").write_text("Findings: A chest tube.")
    made = predict_inputs(["pictures/0.png", "case"], run, PredictionRequest())
    assert made.prediction.studies == ("pictures/0.png", "case")
    assert not np.isnan(made.prediction.probabilities).any()
    assert np.ptp(made.prediction.probabilities, axis=0).max() > 0
    text = predict_inputs(["pictures/0.png"], run, PredictionRequest(report=own / "only.txt"))
    alone = made.prediction.probabilities[0]
    assert not np.allclose(text.prediction.probabilities[0], alone, atol=1e-9)


def test_a_volume_a_clip_and_a_series_of_slices(
    run: RunFolder, own: Path, written: Callable[..., Path]
) -> None:
    """One reader for all of them: up to four slices or frames, spread over the whole."""
    rng = np.random.default_rng(0)
    volume = rng.integers(-1000, 200, (40, 40, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), own / "chest.nii.gz")
    frames = [Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)) for _ in range(9)]
    frames[0].save(own / "lung.gif", save_all=True, append_images=frames[1:])
    (own / "case" / "slices").mkdir(parents=True)
    for z in (0, 1, 2, 5):
        place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        path = own / "case" / "slices" / f"{z}.dcm"
        written(path, volume[:, :, z] + 1024, Modality="CT", RescaleIntercept=-1024, **place)
    made = predict_inputs(["chest.nii.gz", "lung.gif", "case"], run, PredictionRequest())
    assert made.rejected == ()
    assert not np.isnan(made.prediction.probabilities).any()
    assert np.ptp(made.prediction.probabilities, axis=0).max() > 0
    notes = "; ".join(made.notes)
    assert "lung.gif: taken as ultrasound, which the run has not seen in training" in notes
    assert "slices: gaps between slices: 1 (largest 3 mm, usual step 1 mm)" in notes
    told = predict_inputs(["lung.gif"], run, PredictionRequest(modality="cxr"))
    assert told.notes == ()


def test_a_report_alone_is_a_study_with_a_missing_picture(run: RunFolder, own: Path) -> None:
    (own / "case").mkdir()
    (own / "case" / "report.txt").write_text("Findings: Sternotomy wires.")
    made = predict_inputs(["case"], run, PredictionRequest())
    assert not np.isnan(made.prediction.probabilities).any()


def test_zero_shot_by_term_and_by_label_set(run: RunFolder, own: Path) -> None:
    trained = predict_inputs(["pictures/0.png"], run, PredictionRequest()).prediction
    asked = PredictionRequest(findings=("covid", "Cardiomegaly", "ckg:scoliosis"))
    made = predict_inputs(["pictures/0.png"], run, asked)
    assert made.prediction.findings == ("ckg:covid_19", "ckg:cardiomegaly", "ckg:scoliosis")
    assert made.prediction.basis == ("zero_shot", "trained", "zero_shot")
    assert made.prediction.thresholds[0] is None
    assert made.prediction.calibration[2] is None
    place = trained.findings.index("ckg:cardiomegaly")
    assert made.prediction.probabilities[0, 1] == pytest.approx(
        trained.probabilities[0, place], abs=1e-6
    )
    with pytest.raises(InputError, match="no concept is called 'cardiomegally'"):
        predict_inputs(["pictures/0.png"], run, PredictionRequest(findings=("cardiomegally",)))


def test_what_a_system_cannot_answer_is_not_possible(logistic: RunFolder, own: Path) -> None:
    asked = PredictionRequest(findings=("Cardiomegaly", "scoliosis"))
    made = predict_inputs(["pictures/0.png"], logistic, asked).prediction
    assert made.basis == ("trained", "not_possible")
    assert np.isnan(made.probabilities[0, 1])


def test_an_input_without_what_the_run_reads_is_lost(logistic: RunFolder, own: Path) -> None:
    (own / "case").mkdir()
    (own / "case" / "report.txt").write_text("Findings: Clear.")
    made = predict_inputs(["case", "pictures/0.png"], logistic, PredictionRequest())
    assert made.lost == ("case",)
    with pytest.raises(InputError, match="none of the inputs has a modality that the run reads"):
        predict_inputs(["case"], logistic, PredictionRequest())


def test_a_report_emptied_by_redaction_is_said_to_be(run: RunFolder, own: Path) -> None:
    (own / "case").mkdir()
    (own / "case" / "report.txt").write_text("Findings: Cardiomegaly.")
    with pytest.raises(InputError, match="case: redaction left nothing of the report") as caught:
        predict_inputs(["case"], run, PredictionRequest())
    assert "reads: image, redacted" in caught.value.hint
    shutil.copy(own / "pictures" / "0.png", own / "case")
    (note,) = predict_inputs(["case"], run, PredictionRequest()).notes
    assert note.startswith("case: redaction left nothing of the report")


def test_a_dialogue_is_no_report(run: RunFolder, own: Path) -> None:
    (own / "case").mkdir()
    (own / "case" / "dialogue.txt").write_text("Patient: I have a cough.")
    with pytest.raises(InputError, match=r"nothing that the run's text policy reads \(redacted\)"):
        predict_inputs(["case"], run, PredictionRequest())


def test_wrong_inputs(run: RunFolder, own: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder, and no data set") as caught:
        predict_inputs(["synthetik"], run, PredictionRequest())
    assert "synthetic" in caught.value.hint
    (own / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        predict_inputs(["empty"], run, PredictionRequest())
    with pytest.raises(InputError, match="two inputs are called"):
        predict_inputs(["pictures/0.png"] * 2, run, PredictionRequest())


def words(run: RunFolder, *more: str) -> list[str]:
    return ["predict", *more, "--run", run.run, "--runs", str(run.path.parent)]


def test_the_command_writes_a_table_with_rejected_rows(
    run: RunFolder, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "bad.png").write_bytes(b"no picture at all")
    assert main([*words(run, "bad.png", "pictures/0.png"), "-o", "out.csv"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "bad.png: not_an_image" in err
    assert err.endswith("For research use only: not a medical device.\n")
    assert (own / "out.csv").read_text().splitlines()[0] == COLUMNS
    rows = list(csv.DictReader((own / "out.csv").open()))
    assert rows[-1]["study"] == "bad.png"
    assert rows[-1]["basis"] == "rejected: not_an_image"
    assert rows[-1]["probability"] == "not possible"
    assert 0 <= float(rows[0]["probability"]) <= 1


def test_the_command_ends_with_3_where_nothing_is_left(
    run: RunFolder, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "bad.png").write_bytes(b"no picture at all")
    assert main(words(run, "bad.png")) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "no study is left to read" in err


def test_parquet_and_json(
    logistic: RunFolder, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pyarrow import parquet

    line = words(logistic, "pictures/0.png", "--findings", "scoliosis", "--findings", "nih14")
    assert main([*line, "-o", "out.parquet", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    table = parquet.read_table(own / "out.parquet").to_pylist()
    assert list(table[0]) == COLUMNS.split(",")
    assert len(rows) == len(table) == 16
    assert rows[0]["probability"] == "not possible"
    assert table[0]["probability"] is None
    assert {row["basis"] for row in table} == {"trained", "not_possible"}
