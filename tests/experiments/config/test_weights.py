"""Weights of encoders: absent ones are told before a run, random frozen ones only by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from experiments.cli.main import main
from experiments.config.parts import read_checked
from experiments.config.weights import check_files, encoder_weights
from kg.errors import InputError

TINY = "image.encoder.name=tiny_cnn"


@pytest.mark.parametrize(
    "keys",
    [
        (TINY,),
        ("image.encoder={name: timm_backbone, options: {model: resnet18}}",),
        ("image.encoder={name: torchxrayvision_densenet}",),
        # the first stages of a network that is trained in part stay random as well
        (TINY, "image.frozen=false", "image.trains=1"),
    ],
)
def test_random_weights_that_never_train_are_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="random weights that never train") as error:
        read_checked("demo", keys)
    assert "kgdx weights list" in error.value.hint
    assert "weights: random" in error.value.hint


@pytest.mark.parametrize(
    ("keys", "words", "warns"),
    [
        ((TINY, "image.encoder.options.weights=random"), "random weights, frozen", True),
        ((TINY, "image.frozen=false"), "random weights, trained", False),
        (
            (TINY, "image.frozen=false", "image.trains=2", "image.encoder.options.weights=random"),
            "random weights, last stages trained",
            True,
        ),
        (
            ("image.encoder={name: patches}", "image.frozen=false"),
            "patches, without weights",
            False,
        ),
        ((), "efficientnet_lite0, shipped weights, frozen", False),
        (("image.frozen=false", "image.trains=1"), "shipped weights, last stages trained", False),
        (("image.encoder.options.weights=random",), "random weights, frozen", True),
        (("image.encoder.options.weights=run:demo-1-0",), "weights run:demo-1-0, frozen", False),
    ],
)
def test_weights_in_words(keys: tuple[str, ...], words: str, warns: bool) -> None:
    image, text = encoder_weights(read_checked("demo", keys))
    assert words in image.words
    assert bool(image.warning) == warns
    assert text.words == "tiny_transformer, random weights, trained"
    assert not text.warning


def test_a_language_model_is_not_random() -> None:
    keys = ("text.encoder={name: minilm}", "image.encoder=null")
    (text,) = encoder_weights(read_checked("demo", keys))
    assert text.words == "minilm, shipped weights, frozen"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.safetensors", "no such file"),
        ("model.pt", "can run code when opened"),
        ("model.h6", "must be a .safetensors file"),
        (".", "no safetensors file in this folder"),
    ],
)
def test_weights_that_cannot_be_read_are_told_before_a_run(
    name: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(InputError, match=said) as error:
        check_files(
            read_checked("demo", (TINY, f"image.encoder.options.weights={tmp_path / name}"))
        )
    assert error.value.message.startswith("image.encoder.options.weights: ")


@pytest.mark.parametrize(
    ("section", "name"),
    [("image.encoder", "huggingface"), ("text.encoder", "huggingface"), ("system", "vlm_report")],
)
def test_a_model_folder_that_is_not_there_is_told_before_a_run(
    section: str, name: str, tmp_path: Path
) -> None:
    keys = [f"{section}={{name: {name}, options: {{folder: {tmp_path}}}}}", "stages=[]"]
    checked = read_checked("demo", keys)
    with pytest.raises(InputError, match="not a folder of a model") as error:
        check_files(checked)
    assert error.value.message.startswith(f"{section}.options.folder: ")


def test_check_and_run_refuse_absent_weights_alike(tmp_path: Path, capsys) -> None:
    keys = ["--set", TINY, "--set", "image.encoder.options.weights=none.safetensors"]
    for command in ("check", "run"):
        words = ["experiment", command, "demo", *keys, "--runs", str(tmp_path / "runs")]
        assert main(words) == 3
        said = capsys.readouterr().err
        assert "image.encoder.options.weights: none.safetensors: no such file" in said
    assert not (tmp_path / "runs").exists()


def test_a_folder_with_one_file_of_weights_is_taken_as_it_is(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    checked = read_checked("demo", (TINY, f"image.encoder.options.weights={tmp_path}"))
    assert encoder_weights(checked)[0].words == f"tiny_cnn, weights {tmp_path.name}, frozen"
