"""Ordered grades (none, mild, severe): cumulative AUROC, quadratic kappa, squared error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from experiments.metrics.arrays import FloatArray, ratio
from experiments.metrics.sums import Metric, StudySums, Weighted, share

__all__ = ["cumulative", "grades_in", "ordinal_metrics", "ordinal_sums", "steps_of"]


def cumulative(grades: ArrayLike, probabilities: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Labels and scores `[n, K - 1]` of reaching each grade but the lowest, for AUROC.

    Args:
        grades: Whole numbers from 0, NaN = not graded, `[n]`.
        probabilities: Of each grade, `[n, K]`.
    """
    grade, chance = _checked(grades, probabilities)
    steps = np.arange(1, chance.shape[1])
    reached = np.where(np.isnan(grade)[:, None], np.nan, grade[:, None] >= steps)
    return reached, chance[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]


def steps_of(grades: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `cumulative`."""
    return tuple(f"at least {name}" for name in grades[1:])


def ordinal_sums(grades: ArrayLike, probabilities: ArrayLike) -> StudySums:
    """Numbers of each study for the sums; zeros where it is not graded.

    Args:
        grades: Whole numbers from 0, NaN = not graded, `[n]`.
        probabilities: Of each grade, `[n, K]`.
    """
    grade, chance = _checked(grades, probabilities)
    graded, size = ~np.isnan(grade), chance.shape[1]
    true, answer = np.nan_to_num(grade).astype(int), chance.argmax(axis=1)
    error = np.nan_to_num(grade) - chance @ np.arange(size)
    columns = {"graded": graded, "squared_error": graded * error**2}
    for i in range(size):
        for j in range(size):
            columns[f"{i} as {j}"] = graded & (true == i) & (answer == j)
    return StudySums.of(columns)


def grades_in(numbers: Sequence[str]) -> int:
    """How many grades numbers of studies are about, by the names that `ordinal_sums` gives them."""
    return sum(name.startswith("0 as ") for name in numbers)


def ordinal_metrics(size: int) -> dict[str, Metric]:
    """Metrics of `ordinal_sums` over `size` grades.

    Kappa and accuracy are of the most probable grade, the squared error of the mean grade.
    """
    apart = np.subtract.outer(np.arange(size), np.arange(size)) ** 2

    def kappa(studies: Weighted) -> FloatArray:
        table = _table(studies, size)
        expected = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None]
        by_chance = (expected * apart).sum(axis=(1, 2))
        return 1 - ratio((table * apart).sum(axis=(1, 2)) * studies["graded"], by_chance)

    def accuracy(studies: Weighted) -> FloatArray:
        return ratio(np.trace(_table(studies, size), axis1=1, axis2=2), studies["graded"])

    return {
        "kappa_quadratic": kappa,
        "accuracy": accuracy,
        "squared_error": share("squared_error", "graded"),
    }


def _table(studies: Weighted, size: int) -> FloatArray:
    """True grade by predicted grade, `[r, K, K]`."""
    rows = [[studies[f"{i} as {j}"] for j in range(size)] for i in range(size)]
    return np.moveaxis(np.array(rows), -1, 0)


def _checked(grades: ArrayLike, probabilities: ArrayLike) -> tuple[FloatArray, FloatArray]:
    grade = np.asarray(grades, dtype=np.float64)
    chance = np.asarray(probabilities, dtype=np.float64)
    if chance.ndim != 2 or grade.shape != chance.shape[:1]:
        raise ValueError(f"grades {grade.shape} and probabilities {chance.shape} do not fit")
    known = grade[~np.isnan(grade)]
    if not np.isin(known, np.arange(chance.shape[1])).all():
        raise ValueError(f"a grade is not a whole number from 0 to {chance.shape[1] - 1}")
    return grade, chance
