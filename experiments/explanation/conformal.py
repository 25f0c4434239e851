"""Split-conformal sets: the answers to a finding that cannot be excluded at a level of confidence.

Each answer has a threshold of its own, from the validation studies for which it is true, so that
the level holds for present and absent findings alike (label-conditional; Vovk: Conditional Validity
of Inductive Conformal Predictors, 2012). A set of both answers or of none is an abstention. A
finding with too few validation studies of an answer has no sets: they could exclude nothing.
Coverage is measured on the test studies of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.explanation.answer import Conformal
from experiments.metrics.arrays import BoolArray, FloatArray
from experiments.metrics.bootstrap import USUAL, Plan
from experiments.metrics.means import ratios
from experiments.records.predictions import TEST, ScoredSubset
from experiments.records.record import Measured

__all__ = ["LEVEL", "ConformalSets", "conformal_sets", "subsets_of"]

LEVEL = 0.9
"""Share of studies whose true answer a set is to hold."""


@dataclass(frozen=True)
class ConformalSets:
    """Conformal sets of one finding.

    Args:
        present: Lowest probability at which it may be present.
        absent: Highest probability at which it may be absent.
        covered: Share of test studies whose set holds the true answer.
        covered_present: The same among those with the finding.
        abstained: Share of test studies whose set holds both answers or none.
        studies: Test studies with a label.
    """

    present: float
    absent: float
    covered: Measured
    covered_present: Measured
    abstained: Measured
    studies: int

    def of(self, probability: float) -> Conformal:
        """The set of an answer with this calibrated probability."""
        answers = {"present": probability >= self.present, "absent": probability <= self.absent}
        held = frozenset(name for name, there in answers.items() if there)
        return Conformal(
            LEVEL,
            held,  # type: ignore[arg-type]
            self.covered,
            self.covered_present,
            self.studies,
        )


def conformal_sets(
    validation: ScoredSubset, test: ScoredSubset, plan: Plan = USUAL
) -> Mapping[str, ConformalSets]:
    """Sets of each finding that has enough labels of both kinds on validation.

    Args:
        validation: Calibrated probabilities and labels that thresholds are taken from.
        test: Those that coverage is measured on.
        plan: How its intervals are made, over patients.
    """
    bounds = {}
    for column, finding in enumerate(validation.findings):
        labels, scores = validation.labels[:, column], validation.probabilities[:, column]
        low, high = -_quantile(-scores[labels == 1]), _quantile(scores[labels == 0])
        if math.isfinite(low) and math.isfinite(high):
            bounds[finding] = low, high
    return _measured(bounds, test, plan)


def subsets_of(subsets: Sequence[ScoredSubset]) -> tuple[ScoredSubset, ScoredSubset] | None:
    """Validation and test among the subsets of a run; None where one is missing."""
    known = {subset.part: subset for subset in subsets}
    if not {"validation", TEST} <= known.keys():
        return None
    return known["validation"], known[TEST]


def _quantile(scores: FloatArray) -> float:
    """The score that a further one stays below at `LEVEL`; infinite where they are too few."""
    rank = math.ceil((len(scores) + 1) * LEVEL)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def _measured(
    bounds: Mapping[str, tuple[float, float]], test: ScoredSubset, plan: Plan
) -> dict[str, ConformalSets]:
    """Sets with their coverage on the test studies, all on the same resamples."""
    columns = [test.findings.index(finding) for finding in bounds]
    labels, scores = test.labels[:, columns], test.probabilities[:, columns]
    low, high = np.array([*bounds.values()]).reshape(-1, 2).T
    known: BoolArray = np.isfinite(labels) & np.isfinite(scores)
    present, absent = scores >= low, scores <= high
    held = np.where(labels == 1, present, absent)
    among = np.concatenate([known, known & (labels == 1), known], 1)
    found = ratios(
        np.concatenate([held, held, present == absent], 1) & among,
        among,
        np.asarray(test.patients, dtype=object),
        rng=np.random.default_rng(0),
        plan=plan,
    )
    shares = [Measured.of(one.value, one.low, one.high) for one in found]
    count = len(bounds)
    return {
        finding: ConformalSets(
            *bounds[finding],
            shares[at],
            shares[at + count],
            shares[at + 2 * count],
            int(known[:, at].sum()),
        )
        for at, finding in enumerate(bounds)
    }
