"""Lift of pairs by hand, what may be judged, and the command on tiny copies of two data sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.audit.label_shift import Labelled, crosswalk, label_shift
from experiments.cli.main import main
from experiments.datasets import DATASETS
from experiments.metrics.bootstrap import Plan
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

PLAN = Plan(resamples=300, at_least=1)
NAN = np.nan


def table(name: str, columns: str, rows: list[list[float]], times: int = 1) -> Labelled:
    labels = np.array(rows * times, dtype=float)
    patients = tuple(f"p{row // 2}" for row in range(len(labels)))
    return Labelled(name, tuple(columns), patients, labels)


ONE = [[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, NAN, 1], [0, 0, 0]]
OTHER = [[1, 0], [0, 1], [1, 1], [0, 0]]


def shifts(times: int = 1, plan: Plan = PLAN):
    one, other = table("one", "abc", ONE, times), table("other", "xy", OTHER, times)
    same = {"a": "x", "b": "y", "c": None}
    return label_shift(one, other, same, rng=np.random.default_rng(0), plan=plan)


def test_lift_is_of_studies_that_state_both() -> None:
    (row,) = shifts()
    assert row.pair == ("a", "b")
    # one: 7 studies state both, 3 with a, 3 with b, 2 with both; other: 4, 2, 2, 1
    assert (row.studies, row.together) == ((7, 4), (2, 1))
    assert row.expected == pytest.approx((9 / 7, 1.0))
    assert row.lift == pytest.approx((2 * 7 / 9, 1.0))
    assert row.ratio.value == pytest.approx(9 / 14)
    assert not row.too_few


def test_the_interval_narrows_with_patients_and_few_are_not_judged() -> None:
    few, many = shifts(10)[0].ratio, shifts(100)[0].ratio
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 2
    # 2 together in the one, 1 together and expected in the other
    assert shifts(1, Plan(resamples=50, at_least=2))[0].too_few


def test_what_is_never_together_is_judged_where_it_would_be_expected() -> None:
    apart = table("apart", "ab", [[1, 0], [0, 1], [1, 0], [0, 1]], 5)
    even = table("even", "ab", [[1, 1], [0, 1], [1, 0], [0, 0]], 5)
    same = {"a": "a", "b": "b"}
    five = Plan(resamples=100, at_least=5)
    (row,) = label_shift(even, apart, same, rng=np.random.default_rng(0), plan=five)
    assert (row.together, row.expected, row.too_few) == ((5, 0), (5.0, 5.0), False)
    assert row.ratio.value == 0
    none = table("none", "ab", [[0, 1]] * 20)
    (row,) = label_shift(even, none, same, rng=np.random.default_rng(0), plan=five)
    assert row.lift == (1.0, None)
    assert row.too_few


def test_what_differs_most_comes_first() -> None:
    rng = np.random.default_rng(3)
    base = rng.random((400, 3)) < 0.4
    tied = base.copy()
    tied[:, 1] = tied[:, 0]
    one, other = table("one", "abc", base.tolist()), table("other", "abc", tied.tolist())
    same = {name: name for name in "abc"}
    rows = label_shift(one, other, same, rng=np.random.default_rng(0), plan=PLAN)
    assert [row.pair for row in rows][0] == ("a", "b")
    assert rows[0].ratio.low > 1
    assert {row.pair for row in rows} == {("a", "b"), ("a", "c"), ("b", "c")}


def test_findings_meet_through_exact_matches() -> None:
    said = (Evidence("a book", "curated", "asserted"),)
    graph = KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in "abc"),
        (Edge("a", "exact_match", "b", said),),
    )
    assert crosswalk(graph, ["a", "c", "z"], ["b", "z"]) == {"a": "b", "c": None, "z": "z"}


def test_the_command_on_two_tiny_copies(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("openi", "nih_chestxray14"):
        DATASETS.load(name)().tiny(tmp_path / name)
    words = ("data", "shift", "openi", "nih_chestxray14", "--root", str(tmp_path))
    assert main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in made["tables"]] == ["openi nih14", "nih_chestxray14 nih14"]
    assert len(made["pairs"]) == 14 * 13 // 2
    assert made["same"]["ckg:emphysema"] == "ckg:emphysema"
    assert main([*words]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith("pair\tlift in openi nih14")
    assert "only in openi nih14: nothing" in err
