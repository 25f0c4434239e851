"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from fusion.stage import OPTIMISERS, SCHEDULES, Stage
from kg.errors import InputError, did_you_mean
from kg.options import Options, Part, parse_options

__all__ = ["optimiser_of", "schedule_of"]


BUILDERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}

SHARES: Mapping[str, Callable[[float, Any], float]] = {
    "cosine": lambda done, _: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done, _: 1.0 - done,
    "constant": lambda done, _: 1.0,
    "step": lambda done, options: options.factor ** int(done / options.every),
}
"""Share of the peak rate at a share of the steps after the warm-up, by schedule."""


def optimiser_of(stage: Stage, module: nn.Module, where: str) -> torch.optim.Optimizer:
    """Optimiser of a stage; biases, norms and embeddings of one row do not decay.

    Args:
        stage: The stage.
        module: Its parameters that require gradients are trained, by their names.
        where: Key of the stage, for errors.

    Raises:
        InputError: If there is no such optimiser, or a prefix of `rates` matches nothing.
    """
    options = _options(OPTIMISERS, stage.optimiser, f"{where}.optimiser")
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    unused = [one for one in stage.rates if not any(name.startswith(one) for name, _ in trained)]
    if unused:
        tops = {name.partition(".")[0] for name, _ in trained}
        raise InputError(
            f"{where}.rates: no trained parameter begins with {unused[0]!r}",
            did_you_mean(unused[0], tops),
        )
    factors = dict.fromkeys([1.0, *stage.rates.values()])
    groups = []
    for factor in factors:
        own = [p for name, p in trained if _factor(name, stage.rates) == factor]
        for decays in (True, False):
            some = [p for p in own if (p.ndim > 1) == decays]
            decay = stage.weight_decay if decays else 0.0
            group: dict[str, Any] = {"params": some, "weight_decay": decay}
            # a group without its own rate has the optimiser's
            groups.append(group if factor == 1.0 else group | {"lr": stage.learning_rate * factor})
    groups = groups[:2] + [group for group in groups[2:] if group["params"]]
    build = BUILDERS[stage.optimiser.name]
    return build(groups, lr=stage.learning_rate, fused=True, **options.model_dump())


def schedule_of(stage: Stage, steps: int, where: str) -> Callable[[int], float]:
    """Share of the peak rate at each step.

    Args:
        stage: The stage.
        steps: Optimiser steps of the whole stage.
        where: Key of the stage, for errors.

    Raises:
        InputError: If there is no such schedule.
    """
    options = _options(SCHEDULES, stage.schedule, f"{where}.schedule")
    share = SHARES[stage.schedule.name]
    rise = max(int(steps * stage.warmup), 1)

    def rate(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        done = min((step - rise) / max(steps - rise, 1), 1.0)
        return float(share(done, options))

    return rate


def _factor(name: str, rates: Mapping[str, float]) -> float:
    """Factor of the longest matching prefix."""
    fitting: Iterable[str] = (prefix for prefix in rates if name.startswith(prefix))
    longest = max(fitting, key=len, default="")
    return rates.get(longest, 1.0)


def _options(known: Mapping[str, type[Options]], part: Part, where: str) -> Options:
    if part.name not in known:
        raise InputError(f"{where}.name: there is no {part.name!r}", did_you_mean(part.name, known))
    return parse_options(known[part.name], part.options, where=where)
