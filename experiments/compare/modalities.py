"""Metrics within each modality, since the modality alone can predict labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.paired import Scores
from experiments.compare.records import METRICS, ModalityScore
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import bootstrap
from experiments.records.record import Measured
from experiments.records.studies import read_studies

__all__ = ["modalities", "modality_scores"]


def modalities(aligned: Aligned) -> tuple[str, ...]:
    """Modality of each study from the records of its runs; empty = not known."""
    known = {
        row.study: row.modality
        for arm in aligned.arms
        for run in arm.runs
        for row in read_studies(run.folder.studies)
        if row.part == run.test.part
    }
    return tuple(known.get(study, "") for study in aligned.studies)


def modality_scores(scores: Scores, arm: Arm) -> tuple[ModalityScore, ...]:
    """Macro mean of a system within each modality; empty where there is only one."""
    if scores.parts is None:
        return ()
    where = np.asarray(scores.parts, dtype=object)
    return tuple(
        _within(scores, arm, str(name), np.flatnonzero(where == name).tolist())
        for name in np.unique(where)
    )


def _within(scores: Scores, arm: Arm, modality: str, rows: Sequence[int]) -> ModalityScore:
    """Macro mean within one modality, with its patients resampled within folds."""
    aligned, here = scores.aligned, list(rows)
    labels = scores.labels_for(arm)[here]
    estimates = bootstrap(
        labels,
        arm.scores[:, here],
        Units(np.asarray(aligned.groups, dtype=object)[here], folds=aligned.folds[here]),
        rng=np.random.default_rng(0),
        name=METRICS[scores.metric],
        plan=scores.plan,
    )
    macro = estimates.macro
    return ModalityScore(
        part=modality,
        studies=len(here),
        positives=int(np.nansum(aligned.labels[here])),
        too_few=not estimates.averaged,
        value=Measured.of(macro.value, macro.low, macro.high, len(estimates.averaged)),
    )
