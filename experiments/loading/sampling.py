"""Sampling of an epoch: studies drawn from one or several data sets, anew for each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.loading.cohort import Cohort
from experiments.loading.stream import StreamedCohort
from fusion.stage import Stage
from kg.errors import InputError, did_you_mean

__all__ = ["EpochSample", "epoch_sample"]


@dataclass(frozen=True)
class EpochSample:
    """Sampler of an epoch.

    Args:
        subsets: Places of the studies of each data set, and their number in an epoch.
        weights: Weight of each study relative to others of its data set, `[n]`; None = uniform,
            each once before any is repeated.
    """

    subsets: tuple[tuple[range, int], ...]
    weights: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """Number of studies of an epoch."""
        return sum(number for _, number in self.subsets)

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Places of an epoch in random order, `[size]`."""
        drawn = [self._of(places, number, rng) for places, number in self.subsets]
        return rng.permutation(np.concatenate(drawn))

    def _of(self, places: range, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
        if self.weights is not None:
            weights = self.weights[list(places)]
            return rng.choice(np.asarray(places), number, p=weights / weights.sum())
        rounds = -(-number // len(places))
        return np.concatenate([rng.permutation(places) for _ in range(rounds)])[:number]


def epoch_sample(cohort: Cohort | StreamedCohort, stage: Stage, place: int) -> EpochSample | None:
    """Sampler of the epochs of a stage; None = every study of the run's own data once.

    Args:
        cohort: The training studies.
        stage: The stage.
        place: Its place, for errors.

    Raises:
        InputError: If the stage names a data set that is not there, or the studies are streamed
            and cannot be drawn.
    """
    if isinstance(cohort, StreamedCohort):
        if stage.data or stage.sampler != "shuffled":
            raise InputError(
                f"stages.{place}: streamed studies come in the order of their shards",
                "prepare without --shards, or leave out `data` and `sampler`",
            )
        return None
    own = next(iter(cohort.subsets.values()))
    if not stage.data and stage.sampler == "shuffled" and len(own) == len(cohort):
        return None
    shares: Mapping[str, float] = stage.data or {next(iter(cohort.subsets)): 1.0}
    subsets = []
    for name, share in shares.items():
        if name not in cohort.subsets:
            hint = did_you_mean(name, cohort.subsets)
            raise InputError(f"stages.{place}.data: {name!r} is no data set of the run", hint)
        subsets.append((cohort.subsets[name], max(round(share * len(own)), 1)))
    weights = balanced_weights(cohort.targets) if stage.sampler == "balanced" else None
    return EpochSample(tuple(subsets), weights)


def balanced_weights(targets: Tensor) -> NDArray[np.float64]:
    """Weight of each study: one over the frequency of its rarest present finding, `[n]`.

    For studies without a present finding, one over their number.

    Args:
        targets: `[n, C]`, NaN = not stated.
    """
    present = targets == 1
    counts = torch.cat([present.sum(0), (~present.any(1)).sum()[None]]).double()
    with_none = torch.cat([present, ~present.any(1, keepdim=True)], 1)
    rarest = torch.where(with_none, counts, float("inf")).amin(1)
    weights: NDArray[np.float64] = (1 / rarest).numpy()
    return weights
