"""Arrays of all metrics: checked labels and scores, and the grouping of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kg.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


def paired_columns(labels: ArrayLike, scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Labels and scores as two float arrays `[n, C]`, NaN in both wherever it is in one.

    Args:
        labels: 1, 0 or NaN = not stated, `[n]` or `[n, C]`.
        scores: Scores of any scale, NaN = not possible, same shape.

    Raises:
        ValueError: Where shapes differ, a label is not 0, 1 or NaN, or a score is infinite.
    """
    truth = np.array(labels, dtype=np.float64)
    score = np.array(scores, dtype=np.float64)
    if truth.shape != score.shape or truth.ndim not in (1, 2):
        raise ValueError(
            f"labels {truth.shape} and scores {score.shape} must be equal [n] or [n, C]"
        )
    if not np.all(np.isnan(truth) | (truth == 0) | (truth == 1)):
        raise ValueError("a label is neither 0, 1 nor NaN")
    if np.isinf(score).any():
        raise ValueError("a score is infinite")
    missing = np.isnan(truth) | np.isnan(score)
    truth[missing] = np.nan
    score[missing] = np.nan
    rows = len(truth)
    return truth.reshape(rows, -1), score.reshape(rows, -1)


def mean_over_seeds(scores: ArrayLike) -> FloatArray:
    """Scores of several seeds `[seeds, n, C]` averaged to `[n, C]`; `[n, C]` stays as it is."""
    stacked = np.asarray(scores, dtype=np.float64)
    return stacked.mean(axis=0) if stacked.ndim == 3 else stacked


def mean_of_defined(values: ArrayLike, axis: int = -1) -> FloatArray:
    """Mean along an axis without NaN; NaN (and no warning) where all are NaN."""
    array = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(array)
    count = defined.sum(axis=axis)
    total = np.where(defined, array, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Ratio, element by element; NaN where the denominator is 0."""
    above = np.asarray(numerator, dtype=np.float64)
    below = np.asarray(denominator, dtype=np.float64)
    share = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=share, where=below > 0)
    return share


@dataclass(frozen=True)
class Units:
    """Grouping of rows: patients, folds whose scores never mix, modalities measured apart.

    Args:
        groups: Patient group of each row, `[n]`, the unit of the bootstrap.
        folds: Fold each row was tested in, or None. Scores of two folds come from two models:
            they are never ranked against each other, and groups are drawn within their fold.
        modalities: Modality of each row, or None. A statistic is then the mean of the statistics
            within each modality.
    """

    groups: Sequence[Any] | NDArray[Any]
    folds: Sequence[Any] | NDArray[Any] | None = None
    modalities: Sequence[Any] | NDArray[Any] | None = None

    def __post_init__(self) -> None:
        for name in ("folds", "modalities"):
            keys = getattr(self, name)
            if keys is not None and len(keys) != len(self.groups):
                raise ValueError(f"{name} has {len(keys)} rows, groups has {len(self.groups)}")
        if self.folds is None:
            return
        fold_of: dict[Any, Any] = {}
        for group, fold in zip(self.groups, self.folds, strict=True):
            if fold_of.setdefault(group, fold) != fold:
                raise InputError(
                    f"patient group {group!r} was tested in two folds", "split by patient group"
                )

    @cached_property
    def member(self) -> IntArray:
        """Position of each row's group among the distinct groups, `[n]`."""
        return _positions(self.groups)

    @property
    def count(self) -> int:
        """Number of distinct groups."""
        return int(self.member.max()) + 1 if len(self.member) else 0

    @cached_property
    def strata(self) -> list[IntArray]:
        """Groups (as positions) of each fold; one stratum without folds."""
        folds = self._keys(self.folds)
        return [np.unique(self.member[folds == fold]) for fold in np.unique(folds)]

    @cached_property
    def cells(self) -> list[list[IntArray]]:
        """Rows of each fold of each modality; scores are ranked only within one of these."""
        folds, modalities = self._keys(self.folds), self._keys(self.modalities)
        return [
            [
                np.flatnonzero((modalities == modality) & (folds == fold))
                for fold in np.unique(folds[modalities == modality])
            ]
            for modality in np.unique(modalities)
        ]

    def totals(self, values: FloatArray) -> FloatArray:
        """Sums of `[n, k]` over the rows of each group, `[G, k]`."""
        total = np.zeros((self.count, values.shape[1]))
        np.add.at(total, self.member, values)
        return total

    def _keys(self, keys: Sequence[Any] | NDArray[Any] | None) -> IntArray:
        """Keys as small integers; all zero where there are none."""
        return np.zeros(len(self.groups), dtype=np.intp) if keys is None else _positions(keys)


def as_units(groups: Units | Sequence[Any] | NDArray[Any]) -> Units:
    """Bare group keys as `Units` without folds or modalities."""
    return groups if isinstance(groups, Units) else Units(groups)


def _positions(keys: Sequence[Any] | NDArray[Any]) -> IntArray:
    """Position of each key among the sorted distinct keys."""
    return np.asarray(np.unique(np.asarray(keys), return_inverse=True)[1], dtype=np.intp).ravel()
