"""Vision-language models: the small one, and folders that are opened or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from encoders.vision_language import open_vision_language, small_vision_language
from encoders.weights import state_hash
from kg.errors import InputError

WORDS = ["clear", "lung", "no", "."]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in small_vision_language(WORDS, 32, 5):
        part.save_pretrained(tmp_path)
    return tmp_path


def test_the_small_model_is_decided_by_its_seed() -> None:
    before = torch.get_rng_state()
    hashes = [state_hash(small_vision_language(WORDS, 32, seed)[0]) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_small_processor_reads_words_marks_and_images() -> None:
    model, processor = small_vision_language(WORDS, 40, 0)
    read = processor.tokenizer.encode("no lung, clear.", add_special_tokens=False)
    assert processor.tokenizer.decode(read) == "no lung <unknown> clear ."
    made = processor(
        images=[[torch.rand(3, 40, 40)]],
        text=[f"{processor.image_token} no"],
        do_rescale=False,
        return_tensors="pt",
    )
    assert made["input_ids"].shape == (1, 3)  # a Mllama begins with a mark
    assert made["pixel_values"].shape == (1, 1, 1, 3, 32, 32)
    assert model(**made).logits.isfinite().all()


@torch.no_grad()
def test_the_small_model_sees_its_image() -> None:
    model, processor = small_vision_language(WORDS, 32, 0)
    answers = []
    for seed in (1, 2):
        image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed))
        text = [processor.image_token]
        made = processor(images=[[image]], text=text, do_rescale=False, return_tensors="pt")
        answers.append(model.eval()(**made).logits)
    assert not torch.allclose(*answers)


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    model, processor = open_vision_language(str(folder))
    assert state_hash(model) == state_hash(small_vision_language(WORDS, 32, 5)[0])
    assert processor.tokenizer.encode("clear") == [5]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda folder: (folder / "modeling.py").write_text("1"), "holds code of its own"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be opened"),
        (lambda folder: _change_text(folder, intermediate_size=100), "cannot be opened"),
        (lambda folder: _change_text(folder, num_hidden_layers=5), "9 weights are missing"),
        (lambda folder: _change(folder, {"model_type": "bert"}), "cannot be opened"),
    ],
    ids=[
        "no config",
        "no weights",
        "code",
        "no tokenizer",
        "other shape",
        "more layers",
        "other kind",
    ],
)
def test_a_folder_that_is_no_such_model_is_refused(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message) as refused:
        open_vision_language(str(folder))
    assert refused.value.hint


def _change_text(folder: Path, **values: object) -> None:
    text = json.loads((folder / "config.json").read_text())["text_config"]
    _change(folder, {"text_config": {**text, **values}})


def _change(folder: Path, values: dict[str, object]) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
