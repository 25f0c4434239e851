"""Modalities judged apart: the modality alone can tell labels, so it is never ranked across."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.paired import Scores
from experiments.compare.records import METRICS, PartScore
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import bootstrap
from experiments.records.record import Measured
from experiments.records.studies import read_studies

__all__ = ["modalities", "part_scores"]


def modalities(aligned: Aligned) -> tuple[str, ...]:
    """Modality of each study as its runs say; empty = not known."""
    known = {
        row.study: row.modality
        for arm in aligned.arms
        for run in arm.runs
        for row in read_studies(run.folder.studies)
        if row.part == run.test.part
    }
    return tuple(known.get(study, "") for study in aligned.studies)


def part_scores(scores: Scores, arm: Arm) -> tuple[PartScore, ...]:
    """The macro mean of a system within each modality; none where there is one only."""
    if scores.parts is None:
        return ()
    where = np.asarray(scores.parts, dtype=object)
    return tuple(
        _within(scores, arm, str(part), np.flatnonzero(where == part).tolist())
        for part in np.unique(where)
    )


def _within(scores: Scores, arm: Arm, part: str, rows: Sequence[int]) -> PartScore:
    """The macro mean within one modality, patients of it drawn within folds."""
    aligned, here = scores.aligned, list(rows)
    labels = scores.labels_for(arm)[here]
    found = bootstrap(
        labels,
        arm.scores[:, here],
        Units(np.asarray(aligned.groups, dtype=object)[here], folds=aligned.folds[here]),
        rng=np.random.default_rng(0),
        name=METRICS[scores.metric],
        plan=scores.plan,
    )
    macro = found.macro
    return PartScore(
        part=part,
        studies=len(here),
        positives=int(np.nansum(aligned.labels[here])),
        too_few=not found.averaged,
        value=Measured.of(macro.value, macro.low, macro.high, len(found.averaged)),
    )
