"""Associations of labels with origin and other metadata: counts and Cramer's V."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency
from scipy.stats.contingency import crosstab

from experiments.audit.record import Association, LabelCount, OriginRow
from experiments.audit.subject import Subject
from experiments.splits.origins import count_origins

__all__ = ["associations", "label_counts", "origin_rows"]

CATEGORICAL = ("source", "format", "size", "view", "sex", "kind", "report_language")
"""Categorical metadata whose association with the labels is measured."""


def origin_rows(subject: Subject) -> tuple[OriginRow, ...]:
    """Studies of each origin by label, largest origin first."""
    origins = _values(subject, "source")
    rows = []
    for count in count_origins(subject.studies):
        labels = subject.labels[origins == count.source]
        present, absent = _counts(subject, labels == 1), _counts(subject, labels == 0)
        rows.append(
            OriginRow(
                count.source, count.studies, count.patients, present, absent, count.can_be_tested
            )
        )
    return tuple(rows)


def label_counts(subject: Subject, names: Mapping[str, str]) -> tuple[LabelCount, ...]:
    """Number of studies that state each finding, overall and by modality."""
    modality = np.asarray(subject.modalities)
    rows = []
    for place, finding in enumerate(subject.findings):
        column = subject.labels[:, place]
        by_modality = {
            name: (
                int((column[modality == name] == 1).sum()),
                int((column[modality == name] == 0).sum()),
            )
            for name in subject.strata
        }
        present, absent = int((column == 1).sum()), int((column == 0).sum())
        silent = len(column) - present - absent
        rows.append(LabelCount(finding, names[finding], present, absent, silent, by_modality))
    return tuple(rows)


def associations(subject: Subject, names: Mapping[str, str]) -> tuple[Association, ...]:
    """Associations of metadata with findings, in each modality, strongest first."""
    measured = [one for fact in CATEGORICAL for one in _associations(subject, fact, names)]
    return tuple(
        sorted(measured, key=lambda one: (-one.cramers_v, one.fact, one.finding, one.where))
    )


def _associations(subject: Subject, fact: str, names: Mapping[str, str]) -> Iterator[Association]:
    """Associations of one metadata field that takes several values."""
    values, modality = _values(subject, fact), np.asarray(subject.modalities)
    for where in subject.strata or ("all",):
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

    The uncorrected V grows with the number of categories even for independent variables.
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
    """Metadata field of each study; empty where it is not stated."""
    return np.asarray([study.metadata.get(fact, "") for study in subject.studies])


def _counts(subject: Subject, stated: Any) -> dict[str, int]:
    counts = stated.sum(axis=0).tolist()
    return {finding: int(n) for finding, n in zip(subject.findings, counts, strict=True)}
