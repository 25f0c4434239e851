"""Rare and common findings: differences between systems over each of the two groups.

A finding is rare where few training studies have it; each run records the shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.compare.align import Arm
from experiments.compare.paired import Scores, corrected
from experiments.compare.records import RareFindings
from experiments.compare.runs import Run
from experiments.metrics.arrays import FloatArray
from kg.files.json_text import json_in

__all__ = ["rare_findings"]

RARE_BELOW = 0.05
"""Share of positives among the training studies below which a finding is rare."""


def rare_findings(scores: Scores, pairs: Sequence[tuple[Arm, Arm]]) -> RareFindings | None:
    """Differences of pairs over the rare and the common findings.

    Args:
        scores: The scores of all systems.
        pairs: First and second of each pair.

    Returns:
        None where there is no pair, a run does not record the prevalence in its training, or
        no rare or no common finding has enough positives at test.
    """
    aligned = scores.aligned
    shares = _shares(aligned.arms[0], aligned.findings)
    enough = np.nansum(scores.truth, axis=0) >= scores.plan.at_least
    if not pairs or shares is None:
        return None
    order = sorted(range(len(shares)), key=lambda c: (shares[c], aligned.findings[c]))
    counted = [column for column in order if enough[column]]
    rare = [column for column in counted if shares[column] < RARE_BELOW]
    common = counted[len(rare) :]
    if not rare or not common:
        return None
    differences = [
        difference
        for first, second in pairs
        for difference in corrected(
            scores.over_rare_and_common(first, second, rare, common), scores.plan.level
        )
    ]
    names = aligned.findings
    return RareFindings(
        below=RARE_BELOW,
        shares={names[column]: float(shares[column]) for column in order},
        rare=tuple(names[column] for column in rare),
        common=tuple(names[column] for column in common),
        too_few=tuple(names[column] for column in order if not enough[column]),
        differences=tuple(differences),
    )


def _shares(arm: Arm, findings: Sequence[str]) -> FloatArray | None:
    """Share of positives in training of each finding, mean of folds, `[C]`; None = not recorded.

    All systems of a comparison share the split, so one of them is enough.
    """
    by_fold = {run.fold: run for run in arm.runs}
    rows = []
    for run in by_fold.values():
        known = _prevalence(run)
        if not set(findings) <= set(known):
            return None
        rows.append([known[finding] for finding in findings])
    return np.asarray(np.mean(rows, axis=0))


def _prevalence(run: Run) -> dict[str, float]:
    """Share of positives by finding as the run recorded it; empty where it did not."""
    path = run.folder.checkpoints / "reader" / "state.json"
    try:
        state = json_in(path)
        return dict(zip(state["identity"]["findings"], state["state"]["prevalence"], strict=True))
    except (OSError, ValueError, KeyError, TypeError):
        return {}
