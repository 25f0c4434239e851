"""An image encoder that is fitted: on training studies alone, kept with a run, and restored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.study import Study, StudyImage
from experiments.config.schema import Experiment, ImageSection
from experiments.config.weights import check_files, encoder_weights
from experiments.evaluation.evaluate import evaluate_run
from experiments.loading.images import ImageLoader
from experiments.records.folder import RunFolder, find_run
from experiments.records.predictions import read_predictions
from experiments.runner.run import run_experiment
from experiments.runs.onnx_export import TOLERANCE, export_run
from kg.errors import InputError

ENCODER = {"name": "pixelhop", "options": {"size": 32, "images": 4}}
IMAGE = {"encoder": ENCODER, "grid": 2, "pool": "mean_max", "reduce": 8}

Draw = Callable[[int, int], Study]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """A study of one image of noise, by number and seed."""

    def give(number: int, seed: int) -> Study:
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 40), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        return Study(f"s{number}", f"p{number}", (StudyImage(f"{number}.png", "cxr", "frontal"),))

    return give


def loader(tmp_path: Path, **section: Any) -> ImageLoader:
    values = ImageSection.model_validate({**IMAGE, **section})
    return ImageLoader(values, tmp_path / "cache", seed=0)


def test_it_is_fitted_on_training_studies_alone(draw: Draw, tmp_path: Path) -> None:
    train = [draw(number, number) for number in range(6)]
    first = loader(tmp_path)
    first.fit(train, tmp_path)
    first.read([draw(9, 90)], tmp_path)
    again = loader(tmp_path)
    again.fit(train, tmp_path)
    again.read([draw(9, 91)], tmp_path)
    assert first.encoder.weights_hash() == again.encoder.weights_hash()
    other = loader(tmp_path)
    other.fit([*train[:-1], draw(5, 50)], tmp_path)
    drawn = np.sort(np.random.default_rng(0).choice(6, 4, replace=False))
    same = other.encoder.weights_hash() == first.encoder.weights_hash()
    assert same == (5 not in drawn)
    assert first.reducer is not None
    assert other.reducer is not None
    assert not torch.equal(first.reducer.mean, other.reducer.mean)


@pytest.mark.parametrize("reduce", [0, 8])
def test_its_state_comes_back(draw: Draw, tmp_path: Path, reduce: int) -> None:
    studies = [draw(number, number) for number in range(4)]
    first, second = (loader(tmp_path, reduce=reduce) for _ in range(2))
    first.fit(studies, tmp_path)
    second.restore(first.state())
    assert second.shape == first.shape
    found, expected = (one.read(studies, tmp_path).values for one in (second, first))
    assert torch.equal(found, expected)


def test_it_never_trains(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stages that train") as caught:
        loader(tmp_path, frozen=False)
    assert "frozen" in caught.value.hint


@pytest.mark.parametrize("options", [{}, {"weights": "fitted"}])
def test_its_weights_are_said_to_be_fitted(small: dict[str, Any], options: dict[str, Any]) -> None:
    image = {**IMAGE, "encoder": {"name": "pixelhop", "options": options}}
    experiment = Experiment.model_validate({**small, "image": image})
    check_files(experiment)
    (weights, _) = encoder_weights(experiment)
    assert not weights.stays_random
    assert weights.words == "pixelhop, fitted on training images without labels"


@pytest.fixture(scope="module")
def run(small: dict[str, Any], small_runs: Path) -> RunFolder:
    named = {"name": "fitted", "system": {"name": "logistic_image"}, "stages": []}
    values = {**small, **named, "text": {"test": "none"}, "image": IMAGE}
    experiment = Experiment.model_validate(values)
    return find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)


def test_a_run_is_restored_with_what_it_fitted(run: RunFolder, tmp_path: Path) -> None:
    evaluate_run(run, "synthetic", Path())
    kept = {one.part: one for one in read_predictions(run.predictions)}
    again = kept["synthetic-nih14-trained"]
    assert again.studies == kept["test"].studies
    columns = [kept["test"].findings.index(finding) for finding in again.findings]
    expected = kept["test"].probabilities[:, columns]
    np.testing.assert_allclose(again.probabilities, expected, atol=1e-6)
    assert export_run(run, tmp_path / "onnx").difference <= TOLERANCE
