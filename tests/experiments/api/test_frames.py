"""Data frames of records: numbers are numbers, None is NaN, and no rows still have columns."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.api.frames import finding_frame, flat, frame, metric_frame

MEASURED = {"value": 0.8, "low": 0.7, "high": 0.9, "findings": 3}
UNDEFINED = dict.fromkeys(MEASURED)


@pytest.mark.parametrize(
    "rows",
    [[{"a": 1.5, "b": None}, {"a": None, "b": None}], [{"a": None, "b": None}]],
)
def test_none_is_nan_in_a_column_of_numbers(rows: list[dict[str, float | None]]) -> None:
    made = frame(rows)
    assert made.dtypes.tolist() == [np.float64, np.float64]
    assert made["b"].isna().all()


def test_what_is_no_number_stays_as_it_is() -> None:
    made = frame(
        [("x", ["a", "b"], True, 2), ("y", [], False, 3)], ("name", "many", "yes", "count")
    )
    assert made["many"].tolist() == [["a", "b"], []]
    assert made["yes"].tolist() == [True, False]
    assert made["count"].sum() == 5
    assert frame([], ("a", "b")).columns.tolist() == ["a", "b"]


def test_metrics_and_findings_have_their_intervals() -> None:
    metrics = metric_frame({"test": {"auroc_macro": MEASURED, "mcc": UNDEFINED}, "x": {}}, "part")
    assert metrics["part"].tolist() == ["test", "test"]
    assert metrics.loc[0, ["value", "low", "high", "findings"]].tolist() == [0.8, 0.7, 0.9, 3]
    assert metrics.loc[1, ["value", "low", "high", "findings"]].isna().all()
    row = {"finding": "ckg:a", "threshold": None, "metrics": {"auroc": MEASURED}}
    other = {"finding": "ckg:b", "threshold": 0.5, "metrics": {}}
    findings = finding_frame([row, other])
    assert findings.loc[0, ["auroc", "auroc_low", "auroc_high"]].tolist() == [0.8, 0.7, 0.9]
    assert findings.loc[1, ["auroc", "auroc_low", "auroc_high"]].isna().all()
    assert findings["threshold"].isna().tolist() == [True, False]
    assert "basis" in finding_frame([]).columns
    assert flat({"name": "a", "value": MEASURED}) == {
        "name": "a",
        "value": 0.8,
        "low": 0.7,
        "high": 0.9,
    }
