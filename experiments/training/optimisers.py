"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from fusion.stage import Stage
from kg.errors import InputError, did_you_mean
from kg.options import Options, parse_options

__all__ = ["OPTIMISERS", "SCHEDULES", "optimiser_of", "schedule_of"]


class AdamOptions(Options):
    """Options of Adam and AdamW.

    Args:
        betas: Decay of the running means of gradients and of their squares.
        eps: Constant added to the denominator.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8


class SGDOptions(Options):
    """Options of stochastic gradient descent.

    Args:
        momentum: Momentum factor.
        nesterov: Whether to use Nesterov momentum.
    """

    momentum: float = 0.9
    nesterov: bool = False


class NoOptions(Options):
    """No options."""


class StepOptions(Options):
    """Options of the schedule `step`.

    Args:
        every: Share of the steps after the warm-up between two drops.
        factor: Factor on the rate at each drop.
    """

    every: float = 0.33
    factor: float = 0.1


OPTIMISERS: Mapping[str, tuple[type[Options], Callable[..., torch.optim.Optimizer]]] = {
    "adamw": (AdamOptions, torch.optim.AdamW),
    "adam": (AdamOptions, torch.optim.Adam),
    "sgd": (SGDOptions, torch.optim.SGD),
}

SCHEDULES: Mapping[str, tuple[type[Options], Callable[[float, Any], float]]] = {
    "cosine": (NoOptions, lambda done, _: 0.5 * (1 + math.cos(math.pi * done))),
    "linear": (NoOptions, lambda done, _: 1.0 - done),
    "constant": (NoOptions, lambda done, _: 1.0),
    "step": (StepOptions, lambda done, options: options.factor ** int(done / options.every)),
}
"""Options by name, and share of the peak rate at a share of the steps after the warm-up."""


def optimiser_of(stage: Stage, module: nn.Module, where: str) -> torch.optim.Optimizer:
    """Optimiser of a stage; biases, norms and embeddings of one row do not decay.

    Args:
        stage: The stage.
        module: Its parameters that require gradients are trained, by their names.
        where: Key of the stage, for errors.

    Raises:
        InputError: If there is no such optimiser, or a prefix of `rates` matches nothing.
    """
    kind, build = _named(OPTIMISERS, stage.optimiser.name, f"{where}.optimiser")
    options = parse_options(kind, stage.optimiser.options, where=f"{where}.optimiser")
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
    optimiser: torch.optim.Optimizer = build(
        groups, lr=stage.learning_rate, fused=True, **options.model_dump()
    )
    return optimiser


def schedule_of(stage: Stage, steps: int, where: str) -> Callable[[int], float]:
    """Share of the peak rate at each step.

    Args:
        stage: The stage.
        steps: Optimiser steps of the whole stage.
        where: Key of the stage, for errors.

    Raises:
        InputError: If there is no such schedule.
    """
    kind, share = _named(SCHEDULES, stage.schedule.name, f"{where}.schedule")
    options = parse_options(kind, stage.schedule.options, where=f"{where}.schedule")
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


def _named(table: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in table:
        raise InputError(f"{where}.name: there is no {name!r}", did_you_mean(name, table))
    return table[name]
