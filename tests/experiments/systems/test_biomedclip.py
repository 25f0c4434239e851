"""BiomedCLIP: a file in the layout of open_clip, its normalisation, and vectors by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import BertConfig, BertModel, BertTokenizerFast

from encoders.batch import StudyBatch, Text
from encoders.study import Passage
from encoders.text import TEXT_ENCODERS
from experiments.systems.biomedclip import BiomedClip
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import SMALL_VIT

Build = Callable[..., tuple[System, StudyBatch]]
WIDE, TALL, SPACE = 64, 16, 12
MEAN, STD = [0.48, 0.45, 0.4], [0.26, 0.25, 0.27]


@pytest.fixture
def bert(tmp_path: Path) -> Any:
    """A text encoder that is fine-tuned, from a folder with random weights."""
    folder = tmp_path / "bert"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "mass", "nodule", "left"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": TALL, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape = BertConfig(vocab_size=len(words), intermediate_size=32, **sizes)
    BertModel(shape).save_pretrained(folder)
    part = TEXT_ENCODERS.load("fine_tuned")
    return part(part.Options(folder=str(folder), max_length=32))


@pytest.fixture
def published(tmp_path: Path, bert: Any) -> Path:
    """A folder in the layout of open_clip, with random weights."""
    torch.manual_seed(7)
    trunk = timm.create_model(SMALL_VIT["model"], img_size=SMALL_VIT["size"], num_classes=0)
    between = (TALL + SPACE) // 2
    tensors = {
        **{f"visual.trunk.{name}": one for name, one in trunk.state_dict().items()},
        **{f"text.transformer.{name}": one for name, one in bert.model.state_dict().items()},
        "visual.head.proj.weight": torch.zeros(SPACE, WIDE),
        "text.proj.0.weight": torch.zeros(between, TALL),
        "text.proj.2.weight": torch.zeros(SPACE, between),
        "logit_scale": torch.tensor(3.0),
    }
    made = {name: torch.randn_like(one) * 0.2 for name, one in tensors.items()}
    made["logit_scale"] = torch.tensor(3.0)
    # files of older versions hold it
    made["text.transformer.embeddings.position_ids"] = torch.arange(512)[None]
    folder = tmp_path / "published"
    folder.mkdir()
    save_file(made, folder / "open_clip_model.safetensors")
    settings = {"model_cfg": {"embed_dim": SPACE}, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def built(build: Build, bert: Any, **options: Any) -> tuple[BiomedClip, StudyBatch]:
    lacks = {"text_encoder": bert, "text_width": TALL}
    system, batch = build("biomedclip", lacks=lacks, options={"space": SPACE, **options})
    assert isinstance(system, BiomedClip)
    return system, batch


def read(encoder: Any, *texts: str) -> Text:
    words, mask, section = encoder.tokenize([[Passage("findings", text)] for text in texts])
    return Text(words, None, mask, section)


def unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=-1)


@torch.no_grad()
def test_vectors_are_those_of_the_file_by_hand(build: Build, bert: Any, published: Path) -> None:
    system, batch = built(build, bert, weights=str(published))
    kept = load_file(published / "open_clip_model.safetensors")
    trunk = timm.create_model(SMALL_VIT["model"], img_size=SMALL_VIT["size"], num_classes=0)
    prefix = "visual.trunk."
    trunk.load_state_dict(
        {name.removeprefix(prefix): one for name, one in kept.items() if name.startswith(prefix)}
    )
    assert batch.pixels is not None
    plain = batch.pixels * 0.5 + 0.5  # as the encoder has normalised them
    shown = (plain - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    first = trunk.eval().forward_features(shown.flatten(0, 1))[:, 0].unflatten(0, (4, 2))
    real = batch.image_mask[..., None]
    mean = (first * real).sum(1) / real.sum(1)
    expected = unit(mean @ kept["visual.head.proj.weight"].T)
    torch.testing.assert_close(system.embed_image(batch), expected, atol=1e-5, rtol=1e-5)

    text = read(bert, "no mass", "left nodule mass")
    states = bert.model(input_ids=text.words, attention_mask=text.mask).last_hidden_state[:, 0]
    hidden = F.gelu(states @ kept["text.proj.0.weight"].T)
    expected = unit(hidden @ kept["text.proj.2.weight"].T)
    torch.testing.assert_close(system.embed_text(text), expected, atol=1e-5, rtol=1e-5)
    assert float(system.scale) == pytest.approx(20.0855, rel=1e-5)


@torch.no_grad()
def test_a_finding_is_its_prompt_against_its_denial(build: Build, bert: Any) -> None:
    system, batch = built(build, bert)
    text = read(bert, "mass", "no mass")
    sides = system.embed_image(batch) @ system.embed_text(text).T * system.scale
    made = system.predict(batch, ("ckg:f0",)).logits[:, 0]
    torch.testing.assert_close(made, sides[:, 0] - sides[:, 1])


def test_the_state_holds_each_tower_once(build: Build, bert: Any) -> None:
    system, batch = built(build, bert)
    names = set(system.state_dict())
    starts = ("image_tower.network.", "text_tower.encoder.", "image_projection.")
    assert all(any(name.startswith(start) for name in names) for start in starts)
    assert {name.partition(".")[0] for name in names} == {
        *("image_tower", "text_tower", "image_projection", "text_projection", "log_scale")
    }


def _without(folder: Path, name: str) -> None:
    path = folder / "open_clip_model.safetensors"
    tensors = load_file(path)
    save_file({key: one for key, one in tensors.items() if key != name}, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "open_clip_config.json").unlink(), "no open_clip_config.json"),
        (lambda folder: _without(folder, "logit_scale"), "no logit_scale"),
        (lambda folder: _without(folder, "visual.trunk.norm.weight"), "1 missing: norm.weight"),
        (lambda folder: _without(folder, "text.proj.2.weight"), r"1 missing: 2.weight"),
        (
            lambda folder: (folder / "open_clip_model.safetensors").rename(folder / "model.bin"),
            "no safetensors file",
        ),
    ],
    ids=["settings", "scale", "trunk", "projection", "pickled"],
)
def test_a_file_that_does_not_fit_is_refused(
    build: Build, bert: Any, published: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    spoil(published)
    with pytest.raises(InputError, match=message) as refused:
        built(build, bert, weights=str(published))
    assert refused.value.hint


def test_it_says_which_encoders_it_needs(build: Build, published: Path) -> None:
    for lacks, message in (
        ({"image_encoder": None}, "vision transformer of timm"),
        ({"text_encoder": None}, "text encoder that trains"),
    ):
        with pytest.raises(InputError, match=message):
            build("biomedclip", lacks=lacks)
    with pytest.raises(InputError, match="text encoder that trains"):
        build("biomedclip", options={"weights": str(published)})


@torch.no_grad()
def test_a_tuned_head_reads_the_mean_of_the_images(build: Build) -> None:
    system, batch = build("biomedclip, fine-tuned")
    assert isinstance(system, BiomedClip)
    assert system.head is not None
    one = replace(batch, image_mask=torch.tensor([[True, False]] * 4))
    both = replace(batch, image_mask=torch.ones(4, 2, dtype=torch.bool))
    other = replace(batch, image_mask=torch.tensor([[False, True]] * 4))
    first, second, mean = (
        system.predict(each, system.setting.findings).logits for each in (one, other, both)
    )
    torch.testing.assert_close(mean, (first + second) / 2, atol=1e-5, rtol=1e-5)
