"""Data frames of records: rows, metrics and findings with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["finding_frame", "flat", "frame", "metric_frame", "wide"]

INTERVAL = ("value", "low", "high")
FINDING = ("finding", "label", "part", "studies", "positives", "basis", "threshold", "remark")


def frame(rows: Iterable[Any], columns: tuple[str, ...] | None = None) -> DataFrame:
    """Data frame of rows, with NaN for None, so that numbers have numeric columns.

    Args:
        rows: Mappings, or tuples in the order of the columns.
        columns: Names of the columns; required where there may be no rows.
    """
    from pandas import DataFrame

    table = DataFrame(list(rows), columns=list(columns) if columns else None)
    return table.where(table.notna(), float("nan")).infer_objects()


def metric_frame(values: Mapping[str, Mapping[str, Mapping[str, Any]]], of: str) -> DataFrame:
    """Metrics by subset or basis and by name, one per row."""
    return frame(
        (
            (what, name, *(measured[key] for key in (*INTERVAL, "findings")))
            for what, metrics in values.items()
            for name, measured in metrics.items()
        ),
        (of, "metric", *INTERVAL, "findings"),
    )


def finding_frame(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Rows of findings, with columns for each metric and the ends of its interval."""
    wide_rows = [
        {**{key: value for key, value in row.items() if key != "metrics"}, **wide(row["metrics"])}
        for row in rows
    ]
    return frame(wide_rows) if wide_rows else frame((), FINDING)


def wide(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics side by side: `auroc`, `auroc_low`, `auroc_high`, ..."""
    return {
        name if key == "value" else f"{name}_{key}": measured[key]
        for name, measured in metrics.items()
        for key in INTERVAL
    }


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with columns for its value and the ends of the interval."""
    return {**row, **{key: row["value"][key] for key in INTERVAL}}
