"""VLM report: prompts, words and their places, learning, and a folder of a user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torch.nn import functional as F
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from encoders.batch import StudyBatch
from encoders.vision_language import small_vision_language
from experiments.config.schema import Experiment
from experiments.loading.cohort import batches
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import find_run
from experiments.runner.run import run_experiment
from experiments.runs.build import build_context
from experiments.runs.restore import restore
from experiments.systems.vlm_report import VlmReport, _followed
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import PIXELS, PLAIN_PIXELS, WORDS

Build = Callable[..., tuple[System, StudyBatch]]


def built(build: Build, **options: Any) -> tuple[VlmReport, StudyBatch]:
    system, batch = build("vlm_report", options=options)
    assert isinstance(system, VlmReport)
    return system, batch


def reports(system: VlmReport, batch: StudyBatch) -> list[str]:
    """The true reports, as the model's tokenizer writes them."""
    words, real = system._reports(batch.paired_text)
    tokenizer = system.processor.tokenizer
    return [
        tokenizer.decode(row[here], skip_special_tokens=True)
        for row, here in zip(words, real, strict=True)
    ]


def small_llava(folder: Path) -> str:
    """Folder of a LLaVA with random weights and the words of the studies."""
    _, processor = small_vision_language([*WORDS, "."], PIXELS, 0)
    tokenizer = processor.tokenizer
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2}
    marks = {"bos_token_id": 2, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    vision = CLIPVisionConfig(**sizes, image_size=PIXELS, patch_size=16)
    text = LlamaConfig(**sizes, **marks, num_key_value_heads=2, vocab_size=len(tokenizer))
    image = tokenizer.convert_tokens_to_ids(processor.image_token)
    shape = LlavaConfig(vision_config=vision, text_config=text, image_token_id=image)
    side = {"height": PIXELS, "width": PIXELS}
    LlavaForConditionalGeneration(shape).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": PIXELS}, crop_size=side),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        image_token=processor.image_token,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return str(folder)


@torch.no_grad()
def test_the_loss_is_that_of_each_word_by_hand(build: Build) -> None:
    system, batch = built(build)
    words, real = system._reports(batch.paired_text)
    inputs = system._inputs(batch)
    length = inputs["input_ids"].shape[1]
    terms = []
    for row in range(len(words)):
        said = words[row : row + 1, : int(real[row].sum())]
        one = {name: tensor[row : row + 1] for name, tensor in inputs.items()}
        logits = system.model(**_followed(one, said)).logits[0]
        terms += [-F.log_softmax(logits[length - 1 + n], 0)[word] for n, word in enumerate(said[0])]
    loss = system.losses(batch, system.stages[0])["report"]
    torch.testing.assert_close(loss, torch.stack(terms).mean(), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_study_without_image_or_report_does_not_count(build: Build) -> None:
    system, batch = built(build)
    mask = batch.image_mask.clone()
    mask[1:] = False
    alone = system.losses(replace(batch, image_mask=mask), system.stages[0])["report"]
    assert batch.paired_text is not None
    silent = torch.tensor([False, True, True, True])
    said = replace(batch, paired_text=batch.paired_text.silenced(silent))
    torch.testing.assert_close(system.losses(said, system.stages[0])["report"], alone)
    assert system.generate(replace(batch, image_mask=mask))[1:] == ["", "", ""]


def test_reports_end_and_are_cut_at_the_limit(build: Build) -> None:
    system, batch = built(build, limit=3)
    words, real = system._reports(batch.paired_text)
    assert words.shape == (4, 3)
    assert real.all()
    assert (words[:, 2] == system.processor.tokenizer.eos_token_id).all()
    assert (words[:, :2] != words[:, 2:]).all()


@torch.no_grad()
def test_the_first_image_that_is_there_is_read_without_its_normalisation(build: Build) -> None:
    system, batch = built(build)
    images = system.processor.image_processor
    batch.image_mask[:2] = torch.tensor([[True, True], [False, True]])
    read = system._inputs(batch)["pixel_values"]
    for row, place in ((0, 0), (1, 1)):
        assert batch.pixels is not None
        shown = (batch.pixels[row, place] * 0.5 + 0.5).clamp(0, 1)
        expected = images([[shown]], do_rescale=False, return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(read[row], expected)


@pytest.mark.parametrize("kind", ["mllama", "llava"])
def test_it_learns_to_write_the_reports(build: Build, tmp_path: Path, kind: str) -> None:
    """By the small model, and by one that has its image among the words."""
    folder = small_llava(tmp_path) if kind == "llava" else ""
    torch.manual_seed(1)
    system, batch = built(build, folder=folder)
    trained = [one for one in system.parameters() if one.requires_grad]
    optimiser = torch.optim.Adam(trained, 3e-3)
    assert system.generate(batch) != reports(system, batch)
    for _ in range(100):
        optimiser.zero_grad()
        loss = system.losses(batch, system.stages[0])["report"]
        loss.backward()
        optimiser.step()
        if loss < 0.01:
            break
    assert system.generate(batch) == reports(system, batch)


def test_a_folder_with_a_chat_template_is_asked_in_its_form(build: Build, tmp_path: Path) -> None:
    words = ["mass", "nodule", "effusion", "Describe", "<user>", "<model>"]
    model, processor = small_vision_language(words, 32, 3)
    processor.chat_template = (
        "<start> {% for turn in messages %}<user> {% for part in turn['content'] %}"
        "{{ '<|image|>' if part['type'] == 'image' else part['text'] }} {% endfor %}{% endfor %}"
        "{% if add_generation_prompt %}<model>{% endif %}"
    )
    for part in (model, processor):
        part.save_pretrained(tmp_path)
    system, batch = built(build, folder=str(tmp_path), prompt="Describe", whole=[])
    assert system.prompt == "<start> <user> <|image|> Describe <model>"
    asked = system._inputs(batch)["input_ids"][0]
    assert system.processor.tokenizer.decode(asked) == system.prompt
    assert all(".lora_" in name or name == "model.base" for name in system.state_dict())
    assert len(system.generate(batch)) == 4


def test_it_says_what_it_lacks(build: Build) -> None:
    for lacks in ({"image_encoder": None}, {"vocabulary": None}):
        with pytest.raises(InputError, match="reads pixels and writes words") as refused:
            build("vlm_report", lacks=lacks)
        assert "frozen: false" in refused.value.hint


def test_a_run_keeps_the_adapters_alone_and_writes_the_same_again(
    small: dict[str, Any], tmp_path: Path
) -> None:
    text = {"train": "none", "test": "none", "encoder": {"name": "tiny_transformer"}}
    options = {"limit": 12, "whole": ["lm_head"]}
    stage = {"epochs": 1, "batch_size": 8, "monitor": "none", "objectives": {"report": 1.0}}
    experiment = Experiment.model_validate(
        small
        | {"text": text, "image": PLAIN_PIXELS, "tasks": ["generation"], "stages": [stage]}
        | {"system": {"name": "vlm_report", "options": options}}
    )
    folder = find_run(run_experiment(experiment, root=Path(), runs=tmp_path), tmp_path)
    restored = restore(folder)
    kept = load_checkpoint(folder.checkpoints / "best").tensors
    assert all(
        ".lora_" in name or name in ("model.base", "model.model.lm_head.weight") for name in kept
    )
    context = build_context(experiment, Path(), cache=tmp_path / "cache")
    (batch,) = batches(context.cohorts["test"], range(4), 4)
    written = pq.read_table(folder.texts).to_pydict()
    assert restored.system.generate(batch) == written["generated"][:4]
