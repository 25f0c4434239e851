"""Covariate-adjusted AUROC: how well scores rank studies to which a probe gives about one score.

Reference: Janes H, Pepe MS. Adjusting for covariate effects on classification accuracy using the
covariate-adjusted receiver operating characteristic curve. Biometrika 2009;96:371-382. Positives
and negatives are compared within a stratum of the probe's score alone, and strata are weighed by
their positives. A shortcut that the probe reads is about equal within a stratum, so what is left
of a system's AUROC there it did not get from that shortcut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.metrics.arrays import FloatArray, IntArray, Units, mean_of_defined
from experiments.metrics.bootstrap import Resampled, draw_counts
from experiments.metrics.ranking import Counts, RankedScores

__all__ = ["STRATA", "Adjusted", "adjusted_auroc", "strata_of"]

STRATA = 5
"""Most strata of one fold and modality."""


@dataclass(frozen=True)
class Adjusted:
    """A covariate-adjusted AUROC.

    Args:
        auroc: Each finding as it is and resampled, `[C]` and `[r, C]`.
        comparable: Share of each finding's positives that have a negative in their stratum, `[C]`.
    """

    auroc: Resampled
    comparable: FloatArray


def adjusted_auroc(
    labels: FloatArray,
    scores: FloatArray,
    probe: FloatArray,
    units: Units,
    *,
    resamples: int,
    rng: np.random.Generator,
) -> Adjusted:
    """The AUROC of scores within strata of a probe's score, mean over folds, then over parts.

    Args:
        labels: 1, 0 or NaN, `[n, C]`.
        scores: Scores of a system, `[n, C]`.
        probe: Scores of a probe, `[n, C]`.
        units: Patients, folds and parts.
        resamples: Number of bootstrap resamples of patients.
        rng: Source of the resamples.
    """
    once = np.ones((1, units.count), dtype=np.int32)
    drawn = draw_counts(units, resamples, rng)
    values, resampled, shares = [], [], []
    for column in range(labels.shape[1]):
        parts = [
            [
                _strata(labels[rows, column], scores[rows, column], probe[rows, column],
                        units.member[rows])
                for rows in part
            ]
            for part in units.cells
        ]  # fmt: skip
        every = [stratum for part in parts for cell in part for stratum in cell]
        values.append(_mean(parts, once)[0])
        resampled.append(_mean(parts, drawn))
        positives = sum(len(stratum.positive) for stratum in every)
        beside = sum(len(one.positive) for one in every if len(one.negative))
        shares.append(beside / positives if positives else np.nan)
    return Adjusted(Resampled(np.array(values), np.stack(resampled, axis=1)), np.array(shares))


def strata_of(probe: FloatArray) -> IntArray:
    """Stratum of each study: quantiles of the probe's score, equal scores together, `[n]`.

    Where the probe takes few values, each is a stratum of its own.
    """
    values, place = np.unique(probe, return_inverse=True)
    if len(values) <= STRATA:
        return np.asarray(place, dtype=np.intp)
    inner = np.quantile(probe, np.linspace(0, 1, STRATA + 1)[1:-1])
    return np.searchsorted(inner, probe, side="left")


def _strata(
    labels: FloatArray, scores: FloatArray, probe: FloatArray, member: IntArray
) -> list[RankedScores]:
    """The strata of one fold and part, each sorted."""
    known = ~(np.isnan(labels) | np.isnan(scores) | np.isnan(probe))
    if not known.any():
        return []
    labels, scores, member = labels[known], scores[known], member[known]
    stratum = strata_of(probe[known])
    return [
        RankedScores.sort(labels[stratum == one], scores[stratum == one], member[stratum == one])
        for one in np.unique(stratum)
    ]


def _mean(parts: list[list[list[RankedScores]]], counts: Counts) -> FloatArray:
    """Mean over folds, then over parts, of each fold's adjusted AUROC, `[r]`."""
    within = [mean_of_defined([_weighed(cell, counts) for cell in part], axis=0) for part in parts]
    return mean_of_defined(within, axis=0)


def _weighed(strata: list[RankedScores], counts: Counts) -> FloatArray:
    """AUROC of the strata weighed by their positives, `[r]`; NaN where none has both classes."""
    total, weight = np.zeros(len(counts)), np.zeros(len(counts))
    for stratum in strata:
        area = stratum.auroc(counts)
        positives = np.take(counts, stratum.positive, axis=1).sum(axis=1)
        known = ~np.isnan(area)
        total += np.where(known, positives * np.where(known, area, 0.0), 0.0)
        weight += np.where(known, positives, 0)
    made = np.full(len(counts), np.nan)
    np.divide(total, weight, out=made, where=weight > 0)
    return made
