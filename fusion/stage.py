"""Stage: one stage of training, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from kg.options import Options, Part


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
    objectives: Mapping[str, float] = {"classification": 1.0}
    trains: tuple[str, ...] = ()
    epochs: int = 20
    steps: int = Field(default=0, ge=0)
    batch_size: int = 32
    optimiser: Part = Part(name="adamw")
    learning_rate: float = 3e-4
    rates: Mapping[str, float] = {}
    weight_decay: float = 0.05
    schedule: Part = Part(name="cosine")
    warmup: float = 0.1
    patience: int = 5
    monitor: str = "auroc_macro"
    validate_every_n_epochs: int = Field(default=1, ge=1)
    checkpoint: Literal["best", "last"] = "best"
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    data: Mapping[str, float] = {}
    accumulate: int = 1
    clip: float = 1.0
