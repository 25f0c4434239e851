"""The page of a validation: every fault under its severity and rule, and nothing in it is run."""

from __future__ import annotations

import re

import pytest

from experiments.reports.validation_page import render_validation_page
from kg.check.faults import RULES, fault

FAULTS = [
    fault("no_source", "ckg:a", "edge without a source"),
    fault("no_source", "ckg:b", "edge without a source"),
    fault("orphan", "ckg:<script>", "<img src=x> stands alone"),
    fault("is_a_cycle", "ckg:c", "is its own parent"),
]


def test_faults_stand_under_their_severity_worst_first() -> None:
    page = render_validation_page("mine & <yours>.jsonl", FAULTS)
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert titles == ["Faults", "Errors", "Information"]
    assert page.index("no_source (2)") < page.index("is_a_cycle (1)") < page.index("orphan (1)")
    assert RULES["is_a_cycle"].mend in page
    assert "4 faults of 3 rules" in page
    assert "not valid" in page


def test_a_graph_without_faults_is_valid() -> None:
    page = render_validation_page("mine.jsonl", [])
    assert "No fault was found" in page
    assert ">valid<" in page
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == ["Faults"]


def test_it_keeps_to_itself_and_runs_nothing(keeps_to_itself) -> None:
    page = render_validation_page("<script>", FAULTS)
    keeps_to_itself(page, has_addresses=False)
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_it_is_wider_than_the_screen(width, check_width) -> None:
    check_width(render_validation_page("mine.jsonl", FAULTS * 10), width)
