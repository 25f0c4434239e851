"""Stage: one stage of training, as data, with the options of its optimiser and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kg.bounds import Count, Multiple, NotNegative, Number, Positive, Share, ShareBelow1
from kg.options import Options, Part


class AdamOptions(Options):
    """Options of Adam and AdamW.

    Args:
        betas: Decay of the running means of gradients and of their squares.
        eps: Constant added to the denominator.
    """

    betas: tuple[ShareBelow1, ShareBelow1] = (0.9, 0.999)
    eps: Positive = 1e-8


class SGDOptions(Options):
    """Options of stochastic gradient descent.

    Args:
        momentum: Momentum factor.
        nesterov: Whether to use Nesterov momentum.
    """

    momentum: ShareBelow1 = 0.9
    nesterov: bool = False


class NoOptions(Options):
    """No options."""


class StepOptions(Options):
    """Options of the schedule `step`.

    Args:
        every: Share of the steps after the warm-up between two drops.
        factor: Factor on the rate at each drop.
    """

    every: Positive = 0.33
    factor: Share = 0.1


OPTIMISERS: Mapping[str, type[Options]] = {
    "adamw": AdamOptions,
    "adam": AdamOptions,
    "sgd": SGDOptions,
}
"""Options of each optimiser."""

SCHEDULES: Mapping[str, type[Options]] = {
    "cosine": NoOptions,
    "linear": NoOptions,
    "constant": NoOptions,
    "step": StepOptions,
}
"""Options of each schedule of the learning rate."""


class Stage(Options):
    """One stage of training, as data.

    Args:
        name: Name of the stage in logs and records.
        objectives: Weight of each loss by name; a loss that is not named is not used.
        trains: Prefixes of the parameters that train; empty = all that require gradients.
        epochs: Passes over the training studies.
        steps: Most optimiser steps; 0 = as many as the epochs have.
        batch_size: Studies in a step.
        optimiser: `adamw`, `adam` or `sgd`, with its options.
        learning_rate: Peak rate.
        rates: Factor on the rate of the parameters with a prefix; the longest prefix counts.
        weight_decay: Decoupled weight decay (of `adam` and `sgd`: a penalty on the squares).
        schedule: `cosine`, `linear`, `step` or `constant`, after the warm-up; with its options.
        warmup: Share of the steps over which the rate rises linearly.
        patience: Validations without a better monitored value before stopping; 0 = never.
        monitor: Value that selects the checkpoint on validation: a metric, `loss` (the weighted
            sum), `loss/NAME` (one loss), or `none`.
        validate_every_n_epochs: Epochs between two validations, the last epoch always having one;
            weights are saved, and patience counted, at a validation.
        checkpoint: Weights the stage ends with: the best by the monitor, or those of its last
            epoch, which is steadier where validation has few positives and the rate decays to zero.
        sampler: `shuffled`, every study once an epoch; or `balanced`, each study drawn with a
            weight of one over the frequency of its rarest finding.
        data: Share of each data set in the studies of an epoch, by name; empty = the run's own.
        accumulate: Batches whose gradients are summed before a step.
        clip: Largest gradient norm.
    """

    name: str = "fit"
    objectives: Mapping[str, NotNegative] = {"classification": 1.0}
    trains: tuple[str, ...] = ()
    epochs: Count = 20
    steps: Number = 0
    batch_size: Count = 32
    optimiser: Part = Part(name="adamw")
    learning_rate: NotNegative = 3e-4
    rates: Mapping[str, NotNegative] = {}
    weight_decay: NotNegative = 0.05
    schedule: Part = Part(name="cosine")
    warmup: Share = 0.1
    patience: Number = 5
    monitor: str = "auroc_macro"
    validate_every_n_epochs: Count = 1
    checkpoint: Literal["best", "last"] = "best"
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    data: Mapping[str, Multiple] = {}
    accumulate: Count = 1
    clip: NotNegative = 1.0
