"""Export of a run as ONNX: the same probabilities as torch, for any number of studies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from encoders.study import Passage, Study
from experiments.cli.main import main
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, find_run
from experiments.runner.run import run_experiment
from experiments.runs.onnx_export import (
    ENCODER,
    HEAD,
    TOLERANCE,
    Head,
    ImageTokens,
    export_run,
    head_inputs,
)
from experiments.runs.restore import restore
from kg.errors import InputError

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def run(small: dict[str, Any], small_runs: Path) -> RunFolder:
    plain = {**small, "name": "exported", "system": {"name": "logistic_image"}, "stages": []}
    plain["text"] = {"test": "none"}
    experiment = Experiment.model_validate(plain)
    return find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)


@pytest.fixture(scope="module")
def exported(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    assert export_run(run, folder).difference <= TOLERANCE
    return folder


def test_encoder_and_head_together_answer_as_the_run(exported: Path, run: RunFolder) -> None:
    restored = restore(run)
    tokens = ImageTokens(restored.preprocessor.images).eval()
    expected = restored.preprocessor.images.encoder.preprocessing
    shape = (3, expected.channels, expected.size, expected.size)
    pixels = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    (made,) = onnxruntime.InferenceSession(exported / ENCODER).run(None, {"pixels": pixels.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(made, tokens(pixels).numpy(), atol=1e-2)
    # three studies, where two were traced
    inputs = {
        "image_mask": torch.ones(3, 1, dtype=torch.bool),
        "image_view": torch.zeros(3, 1, dtype=torch.long),
        "image_modality": torch.zeros(3, 1, dtype=torch.long),
        "image_tokens": tokens(pixels).detach()[:, None],
    }
    head = onnxruntime.InferenceSession(exported / HEAD)
    named = [one.name for one in head.get_inputs()]
    (found,) = head.run(None, {name: inputs[name].numpy() for name in named})
    with torch.no_grad():
        wanted = Head(restored, tuple(inputs)).eval()(*inputs.values()).numpy()
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE)
    assert found.shape == (3, len(restored.preprocessor.findings))


def test_the_description_tells_how_to_feed_it_and_where_it_is_from(
    exported: Path, run: RunFolder
) -> None:
    told = json.loads((exported / "model.json").read_text(encoding="utf-8"))
    restored = restore(run)
    assert told["run"] == run.run
    assert "research use only" in told["use"]
    assert [one["finding"] for one in told["findings"]] == list(restored.preprocessor.findings)
    assert len(told["weights"]) == 64
    assert told["pixels"]["size"] == restored.preprocessor.images.encoder.preprocessing.size
    assert "image_tokens" in told["inputs"]


def test_the_command_writes_the_files(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = str(run.path.parent)
    assert (
        main(["experiment", "export", run.run, "--runs", runs, "-o", str(tmp_path), "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert {Path(one).name for one in told["files"]} == {ENCODER, HEAD, "model.json"}
    assert all(Path(one).is_file() for one in told["files"])


def test_a_run_that_reads_text_answers_as_torch_for_texts_of_any_length(
    small: dict[str, Any], small_runs: Path, tmp_path: Path
) -> None:
    text_policy = {"train": "full", "test": "full"}  # redaction would leave nothing of these texts
    experiment = Experiment.model_validate({**small, "name": "exported_text", "text": text_policy})
    run = find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)
    assert export_run(run, tmp_path).difference <= TOLERANCE
    restored = restore(run)
    text = (Passage("findings", "There is a large pleural effusion on the left. " * 4),)
    short = (Passage("findings", "The heart is enlarged."),)
    studies = [Study(str(at), str(at), (), one) for at, one in enumerate((text, short, short))]
    batch = restored.preprocessor.read(studies, tmp_path).batch([0, 1, 2])
    inputs = head_inputs(batch)
    assert {"text_words", "text_mask", "text_section", "evidence"} <= set(inputs)
    head = onnxruntime.InferenceSession(tmp_path / HEAD)
    (found,) = head.run(None, {one.name: inputs[one.name].numpy() for one in head.get_inputs()})
    with torch.no_grad():
        expected = Head(restored, tuple(inputs)).eval()(*inputs.values()).numpy()
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert np.ptp(found, axis=0).max() > 0  # the text counts


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_with_its_extra(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=package) as error:
        export_run(run, tmp_path / "out")
    assert error.value.hint == "pip install 'kgdx[onnx]'"
    assert not (tmp_path / "out").exists()
