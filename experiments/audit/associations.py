"""How labels hang together with sources and other facts: counts and Cramer's V."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency
from scipy.stats.contingency import crosstab

from experiments.audit.record import Association, LabelCount, SourceRow
from experiments.audit.subject import Subject
from experiments.splits.origins import count_origins

__all__ = ["associations", "label_counts", "source_rows"]

TIED_TO = ("source", "format", "size", "view", "sex", "kind", "report_language")
"""Facts that are categories, whose ties to the labels are told."""


def source_rows(subject: Subject) -> tuple[SourceRow, ...]:
    """Studies of each source by label, largest source first."""
    sources = _values(subject, "source")
    rows = []
    for count in count_origins(subject.studies):
        labels = subject.labels[sources == count.source]
        present, absent = _counts(subject, labels == 1), _counts(subject, labels == 0)
        rows.append(
            SourceRow(
                count.source, count.studies, count.patients, present, absent, count.can_be_tested
            )
        )
    return tuple(rows)


def label_counts(subject: Subject, names: Mapping[str, str]) -> tuple[LabelCount, ...]:
    """How often each finding is stated, also in each modality."""
    modality = np.asarray(subject.modalities)
    rows = []
    for place, finding in enumerate(subject.findings):
        column = subject.labels[:, place]
        by_modality = {
            part: (
                int((column[modality == part] == 1).sum()),
                int((column[modality == part] == 0).sum()),
            )
            for part in subject.parts
        }
        present, absent = int((column == 1).sum()), int((column == 0).sum())
        silent = len(column) - present - absent
        rows.append(LabelCount(finding, names[finding], present, absent, silent, by_modality))
    return tuple(rows)


def associations(subject: Subject, names: Mapping[str, str]) -> tuple[Association, ...]:
    """Ties of facts to findings, in each modality, strongest first."""
    found = [tie for fact in TIED_TO for tie in _ties(subject, fact, names)]
    return tuple(sorted(found, key=lambda one: (-one.cramers_v, one.fact, one.finding, one.where)))


def _ties(subject: Subject, fact: str, names: Mapping[str, str]) -> Iterator[Association]:
    """Ties of one fact that takes several values."""
    values, modality = _values(subject, fact), np.asarray(subject.modalities)
    for where in subject.parts or ("all",):
        here = (values != "") & ((modality == where) | (where == "all"))
        for place, finding in enumerate(subject.findings):
            column = subject.labels[:, place]
            rows = here & ~np.isnan(column)
            (categories, classes), table = crosstab(values[rows], column[rows])
            if len(categories) < 2 or len(classes) < 2:
                continue
            yield Association(
                fact, finding, names[finding], where, cramers_v(table), len(categories),
                int(rows.sum()),
            )  # fmt: skip


def cramers_v(table: Any) -> float:
    """Cramer's V of a table of counts with the bias correction of Bergsma (2013).

    The uncorrected V grows with the number of categories even where nothing hangs together.
    """
    counts = np.asarray(table)
    total = counts.sum()
    rows, columns = counts.shape
    phi = chi2_contingency(counts, correction=False).statistic / total
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (total - 1))
    rows_left = rows - (rows - 1) ** 2 / (total - 1)
    columns_left = columns - (columns - 1) ** 2 / (total - 1)
    least = min(rows_left, columns_left) - 1
    return float(np.sqrt(phi / least)) if least > 0 else 0.0


def _values(subject: Subject, fact: str) -> NDArray[np.str_]:
    """A fact of each study; empty where it is not stated."""
    return np.asarray([study.metadata.get(fact, "") for study in subject.studies])


def _counts(subject: Subject, stated: Any) -> dict[str, int]:
    counts = stated.sum(axis=0).tolist()
    return {finding: int(n) for finding, n in zip(subject.findings, counts, strict=True)}
