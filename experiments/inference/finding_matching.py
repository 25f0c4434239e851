"""Matching of requested findings to those a run can predict, through its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.loading.holdout import equivalents
from experiments.runs.restore import Restored
from fusion.capabilities import Classifies, able

__all__ = ["Match", "match_findings"]


@dataclass(frozen=True)
class Match:
    """A finding of the test data, and the concept that the run predicts for it.

    Args:
        finding: Concept id in the label set of the data.
        asked: Concept id that is predicted; equal, or an exact match; None where there is neither.
        how: `same`, `exact_match`, or `no_equivalent` among the findings trained on.
        basis: `trained`, `zero_shot` or `not_possible`.
    """

    finding: str
    asked: str | None
    how: str
    basis: str


def match_findings(restored: Restored, findings: Sequence[str]) -> tuple[Match, ...]:
    """Match findings of another label set to those a run can predict, through its graph."""
    trained = restored.preprocessor.findings
    classifier: Classifies = able(restored.system, Classifies)
    matches = []
    for finding in findings:
        if finding not in restored.graph.index:
            matches.append(Match(finding, None, "no_equivalent", "not_possible"))
            continue
        same = [name for name in equivalents(restored.graph, finding) if name in trained]
        if same:
            how = "same" if same[0] == finding else "exact_match"
            matches.append(Match(finding, same[0], how, classifier.basis(same[0])))
            continue
        basis = classifier.basis(finding)
        asked = finding if basis != "not_possible" else None
        matches.append(Match(finding, asked, "no_equivalent", basis))
    return tuple(matches)
