"""Metric table of a run: a row per finding and the summary with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.metrics.arrays import (
    BoolArray,
    FloatArray,
    Units,
    as_units,
    mean_of_defined,
    mean_over_seeds,
    paired_columns,
)
from experiments.metrics.bootstrap import (
    ALL,
    USUAL,
    Estimate,
    Intervals,
    Plan,
    bootstrap,
    draw_counts,
    estimate,
)
from experiments.metrics.calibration import brier, calibration_error, calibration_line
from experiments.metrics.decisions import (
    Confusion,
    Thresholds,
    accuracy,
    balanced_accuracy,
    confusion,
    confusion_matrix,
    outcomes,
    true_and_answered,
)
from experiments.metrics.ranking import Counts, Statistic, prevalence

TOO_FEW = "too few positives"
"""Remark on a finding that no macro mean averages for its positives, but that over all."""

DECISIONS = ("f1", "mcc", "sensitivity", "specificity", "precision", "accuracy")
"""Rates at thresholds that a summary averages over findings."""

_MEASURED = (
    *("auprc", "prevalence", *DECISIONS, "negative_predictive_value"),
    *("brier", "ece", "ece_adaptive", "calibration_slope", "calibration_intercept"),
)


@dataclass(frozen=True)
class Row:
    """Metrics of one finding; NaN where undefined.

    Args:
        finding: Name or concept id.
        n: Studies with a stated label and a probability.
        positives: How many of them have the finding.
        too_few: True with too few positives for a macro value.
        auroc: Area under the ROC curve.
        auroc_low: Lower end of its interval.
        auroc_high: Upper end.
        auprc: Average precision; as `auroc` not defined where only one class is stated.
        prevalence: Share of positives, the chance level of `auprc`.
        threshold: Decision threshold, chosen on validation.
        f1: F1 at the threshold.
        mcc: Matthews correlation at the threshold.
        sensitivity: Sensitivity at the threshold.
        specificity: Specificity at the threshold.
        precision: Positive predictive value at the threshold.
        negative_predictive_value: Negative predictive value at the threshold.
        accuracy: Accuracy at the threshold.
        brier: Mean squared error of the probability.
        ece: Expected calibration error, 15 bins of equal width.
        ece_adaptive: The same with bins of equal numbers of studies.
        calibration_slope: Slope of the label on the logit; 1 is perfect, under 1 overconfident.
        calibration_intercept: Intercept of that line; 0 is perfect.
    """

    finding: str
    n: int
    positives: int
    too_few: bool
    auroc: float
    auroc_low: float
    auroc_high: float
    auprc: float
    prevalence: float
    threshold: float
    f1: float
    mcc: float
    sensitivity: float
    specificity: float
    precision: float
    negative_predictive_value: float
    accuracy: float
    brier: float
    ece: float
    ece_adaptive: float
    calibration_slope: float
    calibration_intercept: float

    @property
    def remark(self) -> str:
        """Reason why no mean includes this finding; empty if one does."""
        if self.too_few:
            return TOO_FEW
        return "no negatives" if self.positives == self.n else ""

    def measured(self) -> dict[str, Estimate]:
        """Every metric of the row by name, as a run record keeps them."""
        plain = {name: Estimate(getattr(self, name)) for name in _MEASURED}
        return {"auroc": Estimate(self.auroc, self.auroc_low, self.auroc_high), **plain}


@dataclass(frozen=True)
class MetricTable:
    """All metrics of one set of predictions.

    Args:
        findings: One row per finding.
        metrics: Summary by name (`auroc_macro`, ...), each with its interval.
        averaged: Findings in the macro means; the others have too few positives or one class.
        measured: Number of findings in the macro means over all, `auroc_macro_all`; those exist
            only where they differ.
        studies: Number of rows.
        groups: Number of patient groups, the unit of the intervals.
        parts: True if ranking statistics are means over modalities.
        threshold_rule: Rule of the choice of thresholds.
        plan: Settings of the intervals.
        confusion: True by predicted class of an exclusive set, or None.
    """

    findings: tuple[Row, ...]
    metrics: Mapping[str, Estimate]
    averaged: tuple[str, ...]
    measured: int
    studies: int
    groups: int
    parts: bool
    threshold_rule: str
    plan: Plan
    confusion: tuple[tuple[int, ...], ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """The table as plain lists and numbers; undefined values are None."""
        plain: dict[str, Any] = _without_nan(
            {
                **{key: value for key, value in vars(self).items() if key != "metrics"},
                "findings": [asdict(row) for row in self.findings],
                "metrics": {name: asdict(value) for name, value in self.metrics.items()},
                "plan": asdict(self.plan),
            }
        )
        return plain


def evaluate(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    thresholds: Thresholds | None,
    *,
    findings: Sequence[str],
    rng: np.random.Generator,
    plan: Plan = USUAL,
) -> MetricTable:
    """Measure predictions of findings that may hold together.

    Args:
        labels: 1, 0 or NaN = not stated, `[n, C]`.
        probabilities: `[n, C]`, or `[seeds, n, C]` to be averaged over seeds; NaN = not possible.
        groups: Patient group of each row, or `Units` where there are folds or modalities.
        thresholds: Chosen on validation; None leaves the decisions undefined.
        findings: Names, length `C`.
        rng: Source of the resamples.
        plan: Settings of the intervals, and the least number of positives for a macro mean.

    Raises:
        InputError: Where thresholds were chosen on a tested patient group.
    """
    truth, score = paired_columns(labels, mean_over_seeds(probabilities))
    units = as_units(groups)
    cuts = np.full(len(findings), np.nan)
    if thresholds is not None:
        thresholds.refuse(units.groups)
        cuts = np.array(thresholds.values, dtype=np.float64)
    if not truth.shape[1] == len(findings) == len(cuts):
        raise ValueError(f"{truth.shape[1]} columns, {len(findings)} findings, {len(cuts)} cuts")
    area = bootstrap(truth, score, units, rng=rng, name="auroc", plan=plan)
    precision = bootstrap(truth, score, units, rng=rng, name="auprc", plan=plan)
    metrics = {"auroc_macro": area.macro, "auprc_macro": precision.macro}
    if area.leaves_out:
        metrics |= {"auroc_macro" + ALL: area.macro_all, "auprc_macro" + ALL: precision.macro_all}
    averaged = np.array(area.averaged, dtype=np.intp)
    metrics |= _summary(truth[:, averaged], score[:, averaged], cuts[averaged], units, plan, rng)
    return MetricTable(
        findings=_rows(
            truth, score, cuts, findings, ranking=(area, precision), at_least=plan.at_least
        ),
        metrics=metrics,
        averaged=tuple(findings[c] for c in area.averaged),
        measured=len(area.measured),
        studies=len(truth),
        groups=units.count,
        parts=units.modalities is not None,
        threshold_rule=thresholds.rule if thresholds else "",
        plan=plan,
    )


def with_exclusive(
    table: MetricTable,
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: Units | Sequence[Any] | NDArray[Any],
    *,
    rng: np.random.Generator,
) -> MetricTable:
    """The table with accuracy, balanced accuracy and confusion matrix of an exclusive set.

    The prediction is the most probable class; no threshold is involved.

    Args:
        table: As `evaluate` gave it.
        labels: Exactly one 1 in a row, `[n, C]`.
        probabilities: `[n, C]` or `[seeds, n, C]`.
        groups: Patient group of each row.
        rng: Source of the resamples.
    """
    score = mean_over_seeds(probabilities)
    matrix = confusion_matrix(labels, score)
    complete = ~np.isnan(np.asarray(labels, dtype=np.float64) + score).any(axis=1)
    truth, answer = true_and_answered(labels, score)
    units, size = as_units(groups), matrix.shape[0]
    per_group = np.zeros((units.count, size, size))
    np.add.at(per_group, (units.member[complete], truth, answer), 1)
    counts = draw_counts(units, table.plan.resamples, rng).astype(np.float64)
    drawn = np.tensordot(counts, per_group, axes=1)
    metrics = {
        name: estimate(rate(matrix), np.array([rate(m) for m in drawn]), table.plan)
        for name, rate in (("accuracy", accuracy), ("balanced_accuracy", balanced_accuracy))
    }
    return replace(
        table,
        metrics={**table.metrics, **metrics},
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
    )


_STATISTICS: tuple[Statistic, ...] = ("auroc", "auprc")


def _summary(
    truth: FloatArray,
    score: FloatArray,
    cuts: FloatArray,
    units: Units,
    plan: Plan,
    rng: np.random.Generator,
) -> dict[str, Estimate]:
    """Micro values, and means over findings of metrics that are no ranking."""
    metrics = {
        f"{name}_micro": _micro(truth, score, units, name=name, plan=plan, rng=rng)
        for name in _STATISTICS
    }
    counts = draw_counts(units, plan.resamples, rng)
    metrics |= _decision_means(outcomes(truth, score, cuts), units, counts, plan)
    metrics["brier_macro"] = brier_mean(truth, score, units, counts, plan)
    # Resampling adds noise to every bin and so pushes an ECE up: it gets no interval.
    metrics["ece_macro"] = Estimate(float(mean_of_defined(calibration_error(truth, score))))
    return metrics


def _rows(
    truth: FloatArray,
    score: FloatArray,
    cuts: FloatArray,
    findings: Sequence[str],
    *,
    ranking: tuple[Intervals, Intervals],
    at_least: int,
) -> tuple[Row, ...]:
    """One row per finding."""
    answers = confusion(truth, score, cuts)
    area, precision = ranking
    columns = {
        "threshold": cuts,
        "prevalence": prevalence(truth),
        "brier": brier(truth, score),
        "ece": calibration_error(truth, score),
        "ece_adaptive": calibration_error(truth, score, binning="adaptive"),
        **{name: getattr(answers, name) for name in (*DECISIONS, "negative_predictive_value")},
    }
    rows = []
    for c, finding in enumerate(findings):
        slope, intercept = calibration_line(truth[:, c], score[:, c])
        rows.append(
            Row(
                finding=finding,
                n=int(np.sum(~np.isnan(truth[:, c]))),
                positives=int(np.nansum(truth[:, c])),
                too_few=bool(np.nansum(truth[:, c]) < at_least),
                auroc=area.findings[c].value,
                auroc_low=area.findings[c].low,
                auroc_high=area.findings[c].high,
                auprc=precision.findings[c].value,
                calibration_slope=slope,
                calibration_intercept=intercept,
                **{name: float(values[c]) for name, values in columns.items()},
            )
        )
    return tuple(rows)


def _micro(
    truth: FloatArray,
    score: FloatArray,
    units: Units,
    *,
    name: Statistic,
    plan: Plan,
    rng: np.random.Generator,
) -> Estimate:
    """A statistic over all pairs of study and finding; a patient is still drawn as a whole."""
    columns = truth.shape[1]
    if not columns:
        return Estimate(np.nan)

    def repeated(keys: Sequence[Any] | NDArray[Any] | None) -> NDArray[Any] | None:
        return None if keys is None else np.repeat(np.asarray(keys), columns)

    pairs = Units(
        np.repeat(units.member, columns),
        folds=repeated(units.folds),
        modalities=repeated(units.modalities),
    )
    return bootstrap(truth.ravel(), score.ravel(), pairs, rng=rng, name=name, plan=plan).findings[0]


def _decision_means(
    answers: BoolArray, units: Units, counts: Counts, plan: Plan
) -> dict[str, Estimate]:
    """Mean of each rate over findings, from answers `[4, n, C]`."""
    once = np.ones((1, units.count))
    whole, drawn = (
        Confusion(*(weights @ units.totals(kind) for kind in answers.astype(np.float64)))
        for weights in (once, counts.astype(np.float64))
    )
    return {
        f"{name}_macro": estimate(
            float(mean_of_defined(getattr(whole, name))[0]),
            mean_of_defined(getattr(drawn, name)),
            plan,
        )
        for name in DECISIONS
    }


def brier_mean(
    truth: FloatArray, score: FloatArray, units: Units, counts: Counts, plan: Plan
) -> Estimate:
    """Mean Brier score over findings, with its interval.

    Args:
        truth: 1, 0 or NaN, `[n, C]`.
        score: Probabilities, `[n, C]`, NaN where `truth` is.
        units: Grouping of rows; a mean over studies may join their folds.
        counts: Number of draws of each group in each resample, `[r, G]`.
        plan: Settings of the interval.
    """
    stated = ~np.isnan(truth)
    errors = units.totals(np.where(stated, (score - truth) ** 2, 0.0))
    rows = units.totals(stated.astype(np.float64))
    total = counts.astype(np.float64) @ rows
    drawn = np.divide(counts @ errors, total, out=np.full(total.shape, np.nan), where=total > 0)
    return estimate(
        float(mean_of_defined(brier(truth, score))) if truth.size else np.nan,
        mean_of_defined(drawn),
        plan,
    )


def _without_nan(value: Any) -> Any:
    """Nested lists and dictionaries with None for NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
