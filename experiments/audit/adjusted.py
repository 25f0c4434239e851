"""Covariate-adjusted AUROC: ranking of studies that have about the same probe score.

Reference: Janes H, Pepe MS. Adjusting for covariate effects on classification accuracy using the
covariate-adjusted receiver operating characteristic curve. Biometrika 2009;96:371-382. Positives
and negatives are compared only within a stratum of the probe's score, and strata are weighted by
their positives. A shortcut that the probe uses is about constant within a stratum, so the AUROC of
a system there does not come from that shortcut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.metrics.arrays import FloatArray, IntArray, Units, mean_of_defined
from experiments.metrics.bootstrap import Resampled, draw_counts
from experiments.metrics.ranking import Counts, RankedScores

__all__ = ["STRATA", "Adjusted", "adjusted_auroc", "strata_of"]

STRATA = 5
"""Maximum number of strata of one fold and modality."""


@dataclass(frozen=True)
class Adjusted:
    """A covariate-adjusted AUROC.

    Args:
        auroc: Each finding's value and its bootstrap resamples, `[C]` and `[r, C]`.
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
    """AUROC of scores within strata of a probe's score, mean over folds, then over modalities.

    Args:
        labels: 1, 0 or NaN, `[n, C]`.
        scores: Scores of a system, `[n, C]`.
        probe: Scores of a probe, `[n, C]`.
        units: Patients, folds and modalities.
        resamples: Number of bootstrap resamples of patients.
        rng: Generator of the resamples.
    """
    once = np.ones((1, units.count), dtype=np.int32)
    drawn = draw_counts(units, resamples, rng)
    values, resampled, shares = [], [], []
    for column in range(labels.shape[1]):
        modalities = [
            [
                _strata(labels[rows, column], scores[rows, column], probe[rows, column],
                        units.member[rows])
                for rows in cells
            ]
            for cells in units.cells
        ]  # fmt: skip
        every = [stratum for one in modalities for cell in one for stratum in cell]
        values.append(_mean(modalities, once)[0])
        resampled.append(_mean(modalities, drawn))
        positives = sum(len(stratum.positive) for stratum in every)
        comparable = sum(len(one.positive) for one in every if len(one.negative))
        shares.append(comparable / positives if positives else np.nan)
    return Adjusted(Resampled(np.array(values), np.stack(resampled, axis=1)), np.array(shares))


def strata_of(probe: FloatArray) -> IntArray:
    """Stratum of each study by quantile of the probe's score, `[n]`.

    Equal scores share a stratum. Where the probe takes few values, each is a stratum of its own.
    """
    values, place = np.unique(probe, return_inverse=True)
    if len(values) <= STRATA:
        return np.asarray(place, dtype=np.intp)
    inner = np.quantile(probe, np.linspace(0, 1, STRATA + 1)[1:-1])
    return np.searchsorted(inner, probe, side="left")


def _strata(
    labels: FloatArray, scores: FloatArray, probe: FloatArray, member: IntArray
) -> list[RankedScores]:
    """Strata of one fold and modality, each sorted by score."""
    known = ~(np.isnan(labels) | np.isnan(scores) | np.isnan(probe))
    if not known.any():
        return []
    labels, scores, member = labels[known], scores[known], member[known]
    stratum = strata_of(probe[known])
    return [
        RankedScores.sort(labels[stratum == one], scores[stratum == one], member[stratum == one])
        for one in np.unique(stratum)
    ]


def _mean(modalities: list[list[list[RankedScores]]], counts: Counts) -> FloatArray:
    """Mean over folds, then over modalities, of each fold's adjusted AUROC, `[r]`."""
    within = [
        mean_of_defined([_weighted(cell, counts) for cell in cells], axis=0) for cells in modalities
    ]
    return mean_of_defined(within, axis=0)


def _weighted(strata: list[RankedScores], counts: Counts) -> FloatArray:
    """AUROC of the strata weighted by their positives, `[r]`; NaN where none has both classes."""
    total, weight = np.zeros(len(counts)), np.zeros(len(counts))
    for stratum in strata:
        area = stratum.auroc(counts)
        positives = np.take(counts, stratum.positive, axis=1).sum(axis=1)
        known = ~np.isnan(area)
        total += np.where(known, positives * np.where(known, area, 0.0), 0.0)
        weight += np.where(known, positives, 0)
    auroc = np.full(len(counts), np.nan)
    np.divide(total, weight, out=auroc, where=weight > 0)
    return auroc
