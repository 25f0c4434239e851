"""Remarks of a record on findings that are left out of means."""

from __future__ import annotations

from experiments.inference.finding_tables import not_averaged


def test_findings_no_mean_is_over_are_named_by_reason() -> None:
    few, always = "too few positives", "no negatives"
    said = not_averaged([("a", few), ("b", ""), ("c", always), ("d", few)])
    assert said[0].startswith(f"{few} to average in: a, d (data.at_least changes it")
    assert said[1:] == (f"{always} to average in: c",)
    assert not_averaged([("b", "")]) == ()
