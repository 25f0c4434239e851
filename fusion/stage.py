"""Stage: one stage of training, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from kg.options import Options


class Stage(Options):
    """One stage of training, as data.

    Args:
        name: What the stage is called in logs and records.
        objectives: Weight of each objective by name; an objective that is not named is not used.
        trains: Prefixes of the parameters that train; empty = all that require gradients.
        epochs: Passes over the training studies.
        batch_size: Studies in a step.
        learning_rate: Peak rate of AdamW.
        weight_decay: Decoupled weight decay.
        warmup: Share of the steps over which the rate rises linearly before the cosine decay.
        patience: Epochs without a better monitored value before stopping; 0 = never stop early.
        monitor: Validation metric that picks the checkpoint.
        look_every: Epochs between two looks at validation, the last epoch always being one; weights
            are kept, and patience counted, at a look.
        keep: Which weights the stage leaves: the best by the monitor, or those of its last epoch,
            which is steadier where validation has few positives and the rate decays to nothing.
        accumulate: Batches whose gradients are summed before a step.
        clip: Largest gradient norm.
    """

    name: str = "fit"
    objectives: Mapping[str, float] = {"classification": 1.0}
    trains: tuple[str, ...] = ()
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    warmup: float = 0.1
    patience: int = 5
    monitor: str = "auroc_macro"
    look_every: int = Field(default=1, ge=1)
    keep: Literal["best", "last"] = "best"
    accumulate: int = 1
    clip: float = 1.0
