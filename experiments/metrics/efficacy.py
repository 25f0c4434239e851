"""Clinical efficacy: agreement of generated and true reports on findings.

Both are read by the project's own labelers, so a text is measured by its findings, not its words.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from encoders.reading.report import read_report
from experiments.metrics.arrays import FloatArray, mean_of_defined
from experiments.metrics.decisions import Confusion
from experiments.metrics.sums import Metric, StudySums, Weighted, share
from kg.mentions.evidence import study_evidence
from kg.mentions.labels import ABNORMAL_KINDS, Labeler, Value
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph

__all__ = [
    "STATEMENT_METRICS",
    "label_metrics",
    "label_sums",
    "labels_in",
    "labels_of",
    "statement_sums",
    "statements_of",
]

Statements = Sequence[Statement]
Labels = Mapping[str, Value]

KINDS = ("finding", "abnormal", "site")
"""Kinds of compared statements: concepts with their assertion, abnormal concepts stated present,
and concepts with assertion and site."""

OUTCOMES = ("tp", "fp", "fn")
"""Counts of right, invented and omitted statements."""

RATES = {"precision": "precision", "recall": "sensitivity", "f1": "f1"}
"""Names in papers on reports, by the names for decisions."""


def statements_of(texts: Sequence[str], linker: MentionLinker) -> list[list[Statement]]:
    """Statements of each report about the concepts of a graph."""
    return [linker.link(read_report(text)) for text in texts]


def labels_of(statements: Sequence[Statements], labeler: Labeler) -> list[dict[str, Value]]:
    """The value of each column of a label set for each report."""
    return [labeler.label(each) for each in statements]


def label_sums(
    written: Sequence[Labels],
    references: Sequence[Labels],
    label_set: str = "",
    *,
    uncertain: bool = False,
) -> StudySums:
    """True and false positives and false negatives of each study and label.

    Args:
        written: Labels of the generated reports.
        references: Labels of the true reports, with the same columns.
        label_set: Name that labels are told by from those of another set; may be empty.
        uncertain: True if an uncertain finding counts as present.
    """
    pairs = list(zip(written, references, strict=True))
    columns = tuple(references[0])
    yes = {1, -1} if uncertain else {1}
    said, true = (
        np.array([[pair[side][column] in yes for column in columns] for pair in pairs])
        for side in (0, 1)
    )
    each = dict(zip(OUTCOMES, (said & true, said & ~true, ~said & true), strict=True))
    return StudySums.of(
        {
            f"{_of_set(label_set)}{label} {outcome}": values[:, place]
            for place, label in enumerate(columns)
            for outcome, values in each.items()
        }
    )


def labels_in(numbers: Sequence[str], label_set: str = "") -> list[str]:
    """Labels of a set that numbers of studies are about, by the names of `label_sums`."""
    ending, start = f" {OUTCOMES[0]}", _of_set(label_set)
    counted = [name.removesuffix(ending) for name in numbers if name.endswith(ending)]
    own = [name for name in counted if name.startswith(start) and (start or ": " not in name)]
    return [name for name in own if name not in KINDS]


def _of_set(label_set: str) -> str:
    """Beginning of the names of a label set's numbers."""
    return f"{label_set}: " if label_set else ""


def label_metrics(labels: Sequence[str]) -> dict[str, Metric]:
    """Metrics of `label_sums`: over all answers (micro), the mean F1 of labels, F1 of each label.

    The mean is over labels that some true report states. One normal report for all does well on a
    column for normal studies: leave that out of `labels` to ask for findings alone.
    """
    return {
        **{f"{rate}_micro": metric for rate, metric in _micro(labels).items()},
        "f1_macro": lambda studies: mean_of_defined(_counts(studies, labels).f1),
        **{f"f1 {label}": _micro([label])["f1"] for label in labels},
    }


def statement_sums(
    written: Sequence[Statements], references: Sequence[Statements], graph: KnowledgeGraph
) -> StudySums:
    """Right, invented and omitted statements of each study, and those denied by its true report.

    A `finding` is a concept with its assertion, denials included, so that one normal
    report for all is often right; `abnormal` are findings and diseases stated present; a `site`
    is a finding at a site. Each counts once per study. Invented statements are `denied` where the
    true report says that what they state present is absent, and not merely silent.

    Args:
        written: Statements of the generated reports.
        references: Statements of the true reports.
        graph: Graph of the concepts.
    """
    rows = []
    for said, true in zip(written, references, strict=True):
        ours, theirs = _facts(said, graph), _facts(true, graph)
        denied = {concept for concept in ours[1] if (concept, "absent") in theirs[0]}
        counts = [n for pair in zip(ours, theirs, strict=True) for n in _outcomes(*pair)]
        rows.append([*counts, len(denied), 1])
    names = (*(f"{kind} {outcome}" for kind in KINDS for outcome in OUTCOMES), "denied", "reports")
    return StudySums(names, np.array(rows, dtype=np.float64).reshape(-1, len(names)))


def _micro(names: Sequence[str]) -> dict[str, Metric]:
    """Precision, recall and F1 over all answers of some names together."""

    def rate(name: str) -> Metric:
        def metric(studies: Weighted) -> FloatArray:
            counts = _counts(studies, names)
            kinds = (counts.true_positive, counts.false_positive, counts.false_negative)
            tp, fp, fn = (kind.sum(axis=1) for kind in kinds)
            value: FloatArray = getattr(Confusion(tp, fp, np.zeros_like(tp), fn), name)
            return value

        return metric

    return {name: rate(called) for name, called in RATES.items()}


def _counts(studies: Weighted, names: Sequence[str]) -> Confusion:
    """Counts of some names, `[r, k]`; true negatives are in none of these rates."""
    none = np.zeros((len(studies.counts), 0))
    tp, fp, fn = (
        np.stack([studies[f"{name} {kind}"] for name in names], axis=1) if names else none
        for kind in OUTCOMES
    )
    return Confusion(tp, fp, np.zeros_like(tp), fn)


def _outcomes(said: set[Hashable], true: set[Hashable]) -> tuple[int, int, int]:
    """Numbers of right, invented and omitted statements."""
    return len(said & true), len(said - true), len(true - said)


def _facts(statements: Statements, graph: KnowledgeGraph) -> tuple[set[Hashable], ...]:
    """Content of a report, by `KINDS`."""
    evidence = study_evidence(statements, graph)
    abnormal: set[Hashable] = {
        concept
        for concept, assertion in evidence.items()
        if assertion == "present" and graph.concept(concept).kind in ABNORMAL_KINDS
    }
    located: set[Hashable] = {
        (each.concept, each.assertion, site)
        for each in statements
        if evidence.get(each.concept) == each.assertion
        for site in each.sites
    }
    return set(evidence.items()), abnormal, located


STATEMENT_METRICS: Mapping[str, Metric] = {
    **{f"{kind}_{rate}": metric for kind in KINDS for rate, metric in _micro([kind]).items()},
    "denied_per_report": share("denied", "reports"),
}
"""Metrics of `statement_sums`; `denied_per_report` counts hallucinations, fewer being better."""
