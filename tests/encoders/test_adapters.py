"""Adapters: what trains, what a state holds, and which model it is loaded onto."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from encoders.adapters import AdaptedModel
from encoders.vision_language import small_vision_language
from kg.errors import InputError

SIZES = {"rank": 2, "alpha": 4.0, "dropout": 0.0}


def adapted(*whole: str, seed: int = 0) -> AdaptedModel:
    model, _ = small_vision_language(["clear", "lung"], 16, seed)
    return AdaptedModel(model, **SIZES, whole=whole)


def inputs(rows: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    ones = torch.ones(rows, 3, dtype=torch.long)
    return {
        "input_ids": torch.tensor([[4, 2, 5]]).expand(rows, -1),
        "attention_mask": ones,
        "cross_attention_mask": ones[:, :, None, None],
        "pixel_values": torch.randn(rows, 1, 1, 3, 16, 16, generator=generator),
        "aspect_ratio_ids": ones[:, :1],
        "aspect_ratio_mask": ones[:, :1, None],
    }


def trained(system: nn.Module) -> set[str]:
    return {name for name, one in system.named_parameters() if one.requires_grad}


def test_only_adapters_train_and_only_they_are_in_the_state() -> None:
    system = adapted()
    assert all(".lora_A." in name or ".lora_B." in name for name in trained(system))
    layers = [name for name, one in system.named_modules() if isinstance(one, nn.Linear)]
    linear = [name for name in layers if name.endswith("base_layer")]
    assert len(trained(system)) == 2 * len(linear) > 0
    assert {"model.lm_head"} == {name for name in layers if "lora_" not in name} - set(linear)
    assert set(system.state_dict()) == trained(system) | {"base"}


def test_named_modules_train_as_a_whole() -> None:
    system, plain = adapted("lm_head", "embed_tokens"), adapted()
    more = {"model.lm_head.weight", "model.model.language_model.embed_tokens.weight"}
    assert trained(system) - trained(plain) == more
    assert set(system.state_dict()) - set(plain.state_dict()) == more


def test_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no module 'lm_haed'") as refused:
        adapted("lm_haed")
    assert "lm_head" in refused.value.hint


@torch.no_grad()
def test_new_adapters_change_nothing() -> None:
    model, _ = small_vision_language(["clear", "lung"], 16, 0)
    before = model.eval()(**inputs()).logits
    after = AdaptedModel(model, **SIZES).eval()(**inputs()).logits
    torch.testing.assert_close(after, before)


def test_a_state_is_loaded_onto_the_same_model_within_another() -> None:
    one, other = (nn.ModuleDict({"model": adapted("lm_head")}) for _ in range(2))
    with torch.no_grad():
        for name, parameter in one.named_parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter) * ("lora" in name or 1))
    state = one.state_dict()
    assert other.load_state_dict(state) == ([], [])
    with torch.no_grad():
        here, there = (each["model"].eval()(**inputs()).logits for each in (one, other))
    assert torch.equal(here, there)
    lacking = {name: tensor for name, tensor in state.items() if "lm_head" not in name}
    with pytest.raises(RuntimeError, match=r"Missing key.*lm_head"):
        other.load_state_dict(lacking)


def test_a_state_of_another_model_is_refused() -> None:
    with pytest.raises(InputError, match="trained on other weights"):
        adapted(seed=1).load_state_dict(adapted(seed=0).state_dict())


@torch.no_grad()
def test_a_model_in_half_precision_keeps_its_adapters_whole() -> None:
    model, _ = small_vision_language(["clear", "lung"], 16, 0)
    system = AdaptedModel(model.to(torch.bfloat16), **SIZES, whole=("lm_head",)).eval()
    adapters = [one for name, one in system.named_parameters() if ".lora_" in name]
    assert all(one.dtype == torch.float32 for one in adapters)
    assert system(**inputs()).logits.isfinite().all()


@torch.no_grad()
def test_what_is_written_is_the_likeliest_word_each_time() -> None:
    system = adapted().eval()
    written = system.generate(**inputs(), max_new_tokens=1)
    assert int(written[0, 3]) == int(system(**inputs()).logits[0, -1].argmax())


def test_without_peft_there_is_a_line_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match="peft is not installed") as refused:
        adapted()
    assert refused.value.hint == "pip install 'kgdx[vlm]'"
