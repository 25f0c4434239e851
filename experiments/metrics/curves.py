"""ROC and precision-recall curves of one finding, with bands over patient groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import FloatArray, Units, as_units, paired_columns
from experiments.metrics.bootstrap import draw_counts

Kind = Literal["roc", "pr"]


@dataclass(frozen=True)
class Curve:
    """A curve at fixed positions, with its band.

    Args:
        x: False positive rate (`roc`) or recall (`pr`), `[k]`.
        y: Sensitivity (`roc`) or precision (`pr`), `[k]`.
        low: Lower edge of the pointwise 95% band, `[k]`.
        high: Upper edge, `[k]`.
    """

    x: FloatArray
    y: FloatArray
    low: FloatArray
    high: FloatArray


def curve(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    kind: Kind,
    rng: np.random.Generator,
    resamples: int = 200,
    points: int = 51,
) -> Curve | None:
    """ROC or precision-recall curve of one finding with a pointwise band.

    Args:
        labels: 1, 0 or NaN, `[n]`.
        scores: `[n]`.
        groups: Patient group of each row, the unit of the band.
        kind: Kind of the curve.
        rng: Source of the resamples.
        resamples: Number of resamples of the band.
        points: Number of places along the x axis.

    Returns:
        None where only one class is stated.
    """
    truth, score = (column[:, 0] for column in paired_columns(labels, scores))
    stated = np.flatnonzero(~np.isnan(truth))
    if not 0 < truth[stated].sum() < len(stated):
        return None
    units = as_units(groups)
    order = stated[np.argsort(-score[stated], kind="stable")]
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    member, sick = units.member[order], truth[order]
    once = np.ones((1, units.count), dtype=np.int32)
    x = np.linspace(0, 1, points)
    read = _read_roc if kind == "roc" else _read_precision
    lines = []
    for counts in np.vstack([once, draw_counts(units, resamples, rng)]):
        weight = counts[member]
        hits = np.cumsum(weight * sick)[ends]
        alarms = np.cumsum(weight * (1 - sick))[ends]
        if hits[-1] > 0 and alarms[-1] > 0:
            lines.append(read(x, hits, alarms))
    low, high = np.quantile(lines[1:] or lines, [0.025, 0.975], axis=0)
    return Curve(x, lines[0], low, high)


def _read_roc(x: FloatArray, hits: FloatArray, alarms: FloatArray) -> FloatArray:
    """Sensitivity at each false positive rate; ties are a slanted step, as in the AUROC."""
    rate = np.append(0.0, alarms / alarms[-1])
    found = np.append(0.0, hits / hits[-1])
    # Where the curve rises straight up, `interp` reads its upper end.
    return np.asarray(np.interp(x, rate, found))


def _read_precision(x: FloatArray, hits: FloatArray, alarms: FloatArray) -> FloatArray:
    """Precision at the first threshold that reaches each recall (a step, as in the AUPRC)."""
    seen = hits + alarms > 0
    hits, alarms = hits[seen], alarms[seen]
    place = np.searchsorted(hits / hits[-1], x - 1e-12, side="left")
    place = np.minimum(place, len(hits) - 1)
    return np.asarray(hits[place] / (hits[place] + alarms[place]))
