"""AUROC of a probe's scores in each modality, their mean, and over all studies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.audit.record import Place, Shuffled
from experiments.audit.subject import Subject
from experiments.metrics.arrays import BoolArray, FloatArray, Units
from experiments.metrics.bootstrap import Estimate, Plan, bootstrap
from experiments.records.record import Measured

__all__ = ["enough_of_each", "judge", "shuffled_check", "shuffled_labels"]


def judge(subject: Subject, scores: FloatArray, *, across: bool) -> tuple[Place, ...]:
    """AUROC of scores, the value they are judged by first.

    Args:
        subject: Studies, labels and folds.
        scores: Logits, `[n, C]`; NaN = missing.
        across: Whether studies of all modalities are ranked together.
    """
    everyone = np.ones(len(scores), dtype=bool)
    if across or not subject.strata:
        return (_place(subject, "all", scores, everyone, parts=False),)
    modality = np.asarray(subject.modalities)
    return (
        _place(subject, "together", scores, everyone, parts=True),
        *(_place(subject, one, scores, modality == one, parts=False) for one in subject.strata),
    )


def _place(
    subject: Subject, where: str, scores: FloatArray, here: BoolArray, *, parts: bool
) -> Place:
    """AUROC of each finding on some studies, and their mean."""
    units = Units(
        np.asarray(subject.groups, dtype=object)[here],
        folds=subject.tested_in[here],
        modalities=np.asarray(subject.modalities)[here] if parts else None,
    )
    options = subject.options
    known = np.where(np.isnan(scores), np.nan, subject.labels)[here]
    labels = enough_of_each(known, units, options.at_least)
    plan = Plan(resamples=options.resamples, at_least=options.at_least)
    rng = np.random.default_rng(options.seed)
    estimates = bootstrap(labels, scores[here], units, rng=rng, plan=plan)
    findings = zip(subject.findings, map(_measured, estimates.findings), strict=True)
    return Place(where, _measured(estimates.macro, len(estimates.averaged)), dict(findings))


def enough_of_each(labels: FloatArray, units: Units, at_least: int) -> FloatArray:
    """Labels `[n, C]`, NaN for findings of which one class is too rare in a modality."""
    kept = labels.copy()
    for cells in units.cells:
        rows = np.concatenate(cells)
        here = labels[rows]
        rarer = np.minimum((here == 1).sum(axis=0), (here == 0).sum(axis=0))
        kept[rows] = np.where(rarer >= at_least, here, np.nan)
    return kept


def _measured(estimate: Estimate, findings: int | None = None) -> Measured:
    return Measured.of(estimate.value, estimate.low, estimate.high, findings)


def shuffled_check(subject: Subject, probe: Callable[[FloatArray], FloatArray]) -> Shuffled | None:
    """Macro AUROC of a probe trained on shuffled labels, which must be at chance.

    None where it is never defined, e.g. where each modality has one class only.

    Args:
        subject: Studies, labels and folds.
        probe: Function from training labels `[n, C]` to scores `[n, C]`.
    """
    rng = np.random.default_rng([subject.options.seed, 1])
    units = Units(subject.groups, folds=subject.tested_in, modalities=subject.modalities)
    # one resample: the shuffles themselves are the distribution
    plan = Plan(resamples=1, at_least=subject.options.at_least)
    values = []
    for _ in range(subject.options.shuffles):
        labels = shuffled_labels(subject, rng)
        estimates = bootstrap(labels, probe(labels), units, rng=rng, plan=plan)
        if np.isfinite(estimates.macro.value):
            values.append(estimates.macro.value)
    if not values:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return Shuffled(
        mean=float(np.mean(values)),
        low=float(low),
        high=float(high),
        times=len(values),
        passes=bool(low <= 0.5),
    )


def shuffled_labels(subject: Subject, rng: np.random.Generator) -> FloatArray:
    """Labels permuted between patients of the same modality, `[n, C]`.

    All studies of a patient get the labels of one study, so that a patient on both sides of a
    fold, were there one, would leak the labels.
    """
    shuffled = np.empty_like(subject.labels)
    groups, modalities = np.asarray(subject.groups), np.asarray(subject.modalities)
    for modality in np.unique(modalities):
        here = np.flatnonzero(modalities == modality)
        _, first, member = np.unique(groups[here], return_index=True, return_inverse=True)
        shuffled[here] = subject.labels[here[rng.permutation(first)]][member.ravel()]
    return shuffled
