"""Adapters of low rank on a pretrained model that is frozen, and a state of what trains alone.

Reference: Hu: LoRA: Low-Rank Adaptation of Large Language Models, 2022. The adapters are those of
the library peft.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from encoders.weights import state_hash
from kg.errors import InputError, did_you_mean

__all__ = ["AdaptedModel"]


class AdaptedModel(nn.Module):
    """A model with adapters on its linear layers; the output layer has none.

    Its state holds the adapters, the modules that train as a whole and the hash of the model it was
    made from, and is loaded onto that model alone.

    Args:
        model: The pretrained model of transformers, which is changed in place.
        rank: Rank of the adapters.
        alpha: Weight of the adapters, divided by their rank.
        dropout: Dropout before the adapters.
        whole: Modules that train as a whole, by their names in the model or the ends of these.

    Raises:
        InputError: If peft is not installed, or the model has no module of that name.
    """

    base: Tensor

    def __init__(
        self, model: Any, *, rank: int, alpha: float, dropout: float, whole: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            hint = "pip install 'kgdx[vlm]'"
            raise InputError(f"{error.name} is not installed", hint) from None
        _check_modules(model, whole)
        digest = bytes.fromhex(state_hash(model))
        self.register_buffer("base", torch.tensor(list(digest), dtype=torch.uint8))
        model.requires_grad_(False)
        shape = LoraConfig(
            r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear"
        )
        self.model: Any = inject_adapter_in_model(shape, model)
        for name, module in self.model.named_modules():
            if name.endswith(whole):
                module.requires_grad_(True)
        for name, parameter in self.model.named_parameters():
            if ".lora_" in name:
                # a half-precision optimiser would lose small steps
                parameter.data = parameter.data.float()
                parameter.requires_grad_(True)
        trained = {name for name, one in self.named_parameters() if one.requires_grad}
        self.others = frozenset(self.state_dict()) - trained - {"base"}
        hooks: Any = self  # torch has no types for these
        hooks.register_state_dict_post_hook(_leave_out_others)
        hooks.register_load_state_dict_pre_hook(_check_base)
        hooks.register_load_state_dict_post_hook(_keep_others)

    def forward(self, **inputs: Any) -> Any:
        """Output of the model, in its own precision where that is half."""
        with self._precision():
            return self.model(**inputs)

    def generate(self, **inputs: Any) -> Any:
        """Tokens of prompts and of what the model writes after them, the likeliest ones."""
        with self._precision():
            return self.model.generate(**inputs, do_sample=False)

    def _precision(self) -> AbstractContextManager[Any]:
        """Half precision where the model is stored in it; else that of the run."""
        dtype: torch.dtype = self.model.dtype
        if dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.base.device.type, dtype)


def _check_modules(model: nn.Module, whole: tuple[str, ...]) -> None:
    names = [name for name, _ in model.named_modules()]
    for one in whole:
        if not any(name.endswith(one) for name in names):
            raise InputError(
                f"whole: the model has no module {one!r}",
                did_you_mean(one, {name.rpartition(".")[2] for name in names}),
            )


def _leave_out_others(
    module: AdaptedModel, state: dict[str, Any], prefix: str, _: Mapping[str, Any]
) -> None:
    """Take the weights that do not train out of a state."""
    for name in module.others:
        state.pop(f"{prefix}{name}", None)


def _check_base(module: AdaptedModel, state: Mapping[str, Any], prefix: str, *_: Any) -> None:
    """Refuse a state that was trained on another model."""
    base = state.get(f"{prefix}base")
    if base is not None and not torch.equal(base.cpu(), module.base.cpu()):
        raise InputError(
            "these adapters were trained on other weights",
            "name the folder of the model that the run was trained from",
        )


def _keep_others(module: AdaptedModel, keys: Any) -> None:
    """Say of no weight that does not train that it is missing."""
    ends = tuple(module.others)
    keys.missing_keys[:] = [name for name in keys.missing_keys if not name.endswith(ends)]
