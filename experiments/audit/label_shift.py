"""Label shift: co-occurrence of findings in two data sets, as lift of each pair and their ratio.

A system that has learnt that two findings occur together in one hospital fails where they do not.
Only label tables of the development sets are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from experiments.config.schema import DataSection
from experiments.loading.holdout import equivalents
from experiments.loading.targets import label_set_of, targets
from experiments.metrics.arrays import FloatArray, Units
from experiments.metrics.bootstrap import USUAL, Plan, draw_counts, estimate
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.record import Measured, defined
from experiments.runs.build import labelled_studies
from kg.model.graph import KnowledgeGraph

__all__ = ["Labelled", "PairShift", "crosswalk", "label_shift", "read_labelled"]


@dataclass(frozen=True)
class Labelled:
    """Label table of a data set.

    Args:
        name: Data set and label set.
        findings: Concept ids (`C`).
        patients: Patient group of each study (`n`).
        labels: 1, 0 or NaN = not stated, `[n, C]`.
    """

    name: str
    findings: tuple[str, ...]
    patients: tuple[str, ...]
    labels: FloatArray


@dataclass(frozen=True)
class PairShift:
    """Co-occurrence of two findings in two data sets, each pair of numbers in their order.

    Args:
        pair: Concept ids of the first data set.
        studies: Studies that state both.
        expected: Expected number of studies with both, if they were independent.
        together: Studies with both.
        lift: `together / expected`; 1 = independent, None where none is expected.
        ratio: Lift in the second data set divided by that in the first, with an interval over
            patients of both; not defined where the findings never co-occur in the first.
        too_few: Whether too few studies have both findings, observed or expected, in one of them.
    """

    pair: tuple[str, str]
    studies: tuple[int, int]
    expected: tuple[float, float]
    together: tuple[int, int]
    lift: tuple[float | None, float | None]
    ratio: Measured
    too_few: bool


def read_labelled(opened: OpenDataset, graph: KnowledgeGraph) -> Labelled:
    """Read the label table of the development set of a data set; no image is opened.

    Args:
        opened: The data set.
        graph: Graph with its label set.

    Raises:
        InputError: If no study is labelled.
    """
    data = DataSection(name=opened.name, labels=opened.choice.name)
    studies = labelled_studies(opened.development, data)
    label_set = label_set_of(opened.dataset, opened.root, data.labels, graph)
    findings = tuple(one for one in label_set.findings if one != label_set.no_finding)
    return Labelled(
        name=f"{opened.name} {opened.choice.name}",
        findings=findings,
        patients=tuple(study.patient for study in studies),
        labels=targets(studies, findings, data.uncertain, opened.choice.blank).astype(np.float64),
    )


def crosswalk(
    graph: KnowledgeGraph, one: Sequence[str], other: Sequence[str]
) -> dict[str, str | None]:
    """Equal or exact match of each finding of one label set in the other; None = no match."""
    return {
        finding: next((same for same in equivalents(graph, finding) if same in other), None)
        for finding in one
    }


def label_shift(
    one: Labelled,
    other: Labelled,
    same: dict[str, str | None],
    *,
    rng: np.random.Generator,
    plan: Plan = USUAL,
) -> tuple[PairShift, ...]:
    """Lift of every pair of shared findings in both data sets, largest difference first.

    Args:
        one: The first label table.
        other: The second.
        same: Finding of the second for each of the first; see `crosswalk`.
        rng: Generator of the resamples of patients.
        plan: Resamples, coverage, and the fewest studies with both findings.
    """
    shared = [(finding, match) for finding, match in same.items() if match is not None]
    pairs = list(combinations(range(len(shared)), 2))
    tables = [
        _Counted.of(table, [names[place] for names in shared], pairs, rng, plan)
        for place, table in enumerate((one, other))
    ]
    rows = []
    for column, (first, second) in enumerate(pairs):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = tables[1].lift[column] / tables[0].lift[column]
            drawn = tables[1].drawn[:, column] / tables[0].drawn[:, column]
        interval = estimate(ratio, np.where(np.isfinite(drawn), drawn, np.nan), plan)
        expected = [float(table.expected[column]) for table in tables]
        together = [int(table.together[column]) for table in tables]
        rows.append(
            PairShift(
                pair=(shared[first][0], shared[second][0]),
                studies=(int(tables[0].studies[column]), int(tables[1].studies[column])),
                expected=(expected[0], expected[1]),
                together=(together[0], together[1]),
                lift=(defined(tables[0].lift[column]), defined(tables[1].lift[column])),
                ratio=Measured.of(interval.value, interval.low, interval.high),
                too_few=min(map(max, expected, together)) < plan.at_least,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.too_few, -_distance(row.ratio.value))))


@dataclass(frozen=True)
class _Counted:
    """Counts and lift of each pair in one table, `drawn` in every resample of patients `[r, P]`."""

    studies: FloatArray
    expected: FloatArray
    together: FloatArray
    lift: FloatArray
    drawn: FloatArray

    @staticmethod
    def of(
        table: Labelled,
        findings: Sequence[str],
        pairs: Sequence[tuple[int, int]],
        rng: np.random.Generator,
        plan: Plan,
    ) -> _Counted:
        columns = table.labels[:, [table.findings.index(name) for name in findings]]
        first, second = (columns[:, [pair[side] for pair in pairs]] for side in (0, 1))
        stated = ~np.isnan(first) & ~np.isnan(second)
        units = Units(np.asarray(table.patients, dtype=object))
        rows = [stated, stated & (first == 1), stated & (second == 1), (first == 1) & (second == 1)]
        # of each patient: studies stated, with the first, the second, both
        sums = [np.zeros((units.count, len(pairs))) for _ in rows]
        for each, counted in zip(sums, rows, strict=True):
            np.add.at(each, units.member, counted)
        n, a, b, both = (each.sum(axis=0) for each in sums)
        counts = draw_counts(units, plan.resamples, rng).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn_n, drawn_a, drawn_b, drawn_both = (counts @ each for each in sums)
            drawn = drawn_both * drawn_n / (drawn_a * drawn_b)
            return _Counted(n, a * b / n, both, both * n / (a * b), drawn)


def _distance(ratio: float | None) -> float:
    """Absolute logarithm of a ratio; 0 where it is not defined."""
    if ratio is None:
        return 0.0
    return abs(float(np.log(ratio))) if ratio else np.inf
