"""AUROC of a probe's scores: in each modality, together, and over everything."""

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
    """AUROC of scores, the place they are judged by first.

    Args:
        subject: Studies, labels and folds.
        scores: Logits, `[n, C]`; NaN = not given.
        across: Whether studies of all modalities are to be ranked with each other.
    """
    everyone = np.ones(len(scores), dtype=bool)
    if across or not subject.parts:
        return (_place(subject, "all", scores, everyone, parts=False),)
    modality = np.asarray(subject.modalities)
    return (
        _place(subject, "together", scores, everyone, parts=True),
        *(_place(subject, part, scores, modality == part, parts=False) for part in subject.parts),
    )


def _place(
    subject: Subject, where: str, scores: FloatArray, here: BoolArray, *, parts: bool
) -> Place:
    """AUROC of each finding and their mean over some studies."""
    units = Units(
        np.asarray(subject.groups, dtype=object)[here],
        folds=subject.tested_in[here],
        modalities=np.asarray(subject.modalities)[here] if parts else None,
    )
    asked = subject.asked
    given = np.where(np.isnan(scores), np.nan, subject.labels)[here]
    labels = enough_of_each(given, units, asked.at_least)
    plan = Plan(resamples=asked.resamples, at_least=asked.at_least)
    rng = np.random.default_rng(asked.seed)
    found = bootstrap(labels, scores[here], units, rng=rng, plan=plan)
    findings = zip(subject.findings, map(_measured, found.findings), strict=True)
    return Place(where, _measured(found.macro, len(found.averaged)), dict(findings))


def enough_of_each(labels: FloatArray, units: Units, at_least: int) -> FloatArray:
    """Labels `[n, C]` without, part by part, the findings of which one class is too rare."""
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
    """Macro AUROC of a probe on labels that were shuffled: it must be at chance.

    None where it is never defined, as where each modality has one class only.

    Args:
        subject: Studies, labels and folds.
        probe: Gives scores `[n, C]` for labels `[n, C]` it is taught.
    """
    rng = np.random.default_rng([subject.asked.seed, 1])
    units = Units(subject.groups, folds=subject.tested_in, modalities=subject.modalities)
    # one resample: the shuffles themselves are the distribution
    plan = Plan(resamples=1, at_least=subject.asked.at_least)
    values = []
    for _ in range(subject.asked.shuffles):
        labels = shuffled_labels(subject, rng)
        found = bootstrap(labels, probe(labels), units, rng=rng, plan=plan)
        if np.isfinite(found.macro.value):
            values.append(found.macro.value)
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
    """Labels dealt out anew: each patient gets those of another of the same modality, `[n, C]`.

    All studies of a patient get the labels of one study, so that a patient on both sides of a
    fold, were there one, would give the labels away.
    """
    dealt = np.empty_like(subject.labels)
    groups, modalities = np.asarray(subject.groups), np.asarray(subject.modalities)
    for modality in np.unique(modalities):
        here = np.flatnonzero(modalities == modality)
        _, first, member = np.unique(groups[here], return_index=True, return_inverse=True)
        dealt[here] = subject.labels[here[rng.permutation(first)]][member.ravel()]
    return dealt
