"""What is written of a comparison: every format whole, escaped, and the same bytes each time."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.compare.tables import published_table, tables
from experiments.compare.wording import p_value
from experiments.metrics.bootstrap import Plan
from experiments.reports.write_comparison import render
from kg.errors import InputError
from kg.files.shown import cell

NASTY = "=cmd|' /C calc'!A0 & 50% of <b>$x_1$</b> {a} ](http://x)"
FORMATS = (".html", ".md", ".tex", ".csv", ".json")


@pytest.fixture
def made(crossed) -> Comparison:
    published = [{"metric": "AUROC", "value": 0.8, "where": "@table 2", "mark": "C"}]
    groups = {
        NASTY: crossed("full", changes={"published": published}),
        "names": crossed("names", lift=0.1, changes={"graph": {"vectors": "random"}}),
    }
    return compare(groups, plan=Plan(resamples=200), keep=["published"])


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_comparison_is_the_same_bytes(made, ending) -> None:
    again = Comparison.from_json(json.loads(render(made, ".json")))
    assert render(again, ending) == render(made, ending)


def test_every_table_has_rows_as_long_as_its_head(made) -> None:
    shown = tables(made)
    assert len(shown) == 6
    for table in shown:
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_pages_are_made_of_the_same_record(made) -> None:
    page, text = render(made, ".html"), render(made, ".md")
    assert page.startswith("<!doctype html>")
    assert "<b>$x_1$</b>" not in page + text
    assert "table 2" in text


def test_what_is_printed_elsewhere_has_a_table_of_its_own(made) -> None:
    table = published_table(made)
    assert table.rows == ((NASTY, "AUROC", "0.8", "C", "@table 2", "-"),)
    assert "AUROC 0.8 (@table 2; C)" in render(made, ".csv")
    plain = replace(made, entries=tuple(replace(e, published=()) for e in made.entries))
    assert table.title not in [each.title for each in tables(plain)]


def test_tex_escapes_what_is_special(made) -> None:
    text = render(made, ".tex")
    assert r"\& 50\% of \textless{}b>\$x\_1\$" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    plain = [re.sub(r"\\[&%$#_{}]", "", line) for line in body]
    assert not [line for line in plain if re.search(r"[%#_]", line)]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 6


def test_no_cell_of_a_csv_is_a_formula(made) -> None:
    rows = list(csv.DictReader(io.StringIO(render(made, ".csv"))))
    assert rows[0]["entry"] == f"'{NASTY}"
    words = ("entry", "against", "finding", "part", "inputs_at_test", "published", "label_source")
    assert not [row for row in rows for name in words if row[name][:1] in set("=+-@")]
    for row in rows:
        for name in ("value", "low", "high", "p", "p_holm"):
            assert re.fullmatch(r"(-?\d\.\d{3})?", row[name])
    macro = next(row for row in rows if row["against"] == "names" and not row["finding"])
    assert (macro["metric"], macro["verdict"], macro["family"]) == (
        *("auroc_macro", "higher"),
        "secondary",
    )
    assert [cell(text) for text in ("=1", "+x", "-1", "@x", "\tx", "a=1", "")] == [
        *("'=1", "'+x", "-1", "'@x", "'\tx", "a=1", "")
    ]


def test_json_is_the_record(made) -> None:
    assert Comparison.from_json(json.loads(render(made, ".json"))) == made


def test_other_endings_are_refused(made) -> None:
    with pytest.raises(InputError, match="cannot be written as .xlsx") as raised:
        render(made, ".xlsx")
    assert ".html, .md, .tex, .csv" in raised.value.hint


def test_a_small_p_is_not_printed_as_zero() -> None:
    assert [p_value(p) for p in (None, 0.0001, 0.0005, 0.25)] == ["-", "<0.001", "0.001", "0.250"]
