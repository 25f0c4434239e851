"""Text of data as it is shown: nothing in it is a formula, an escape or markup."""

from __future__ import annotations

import csv
import io

import pytest

from kg.files.shown import cell, exact, inline, of_cell, plain, table_text, visible

FORMULAS = (
    "-1 [=A1, 2]",
    "-1+A1",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "--x",
    "-a",
    "=",
)
HARMLESS = (
    "-0.088 [-0.121, -0.058]",
    "+0.5 [0, 1]",
    "",
    "a=1",
    "-",
    "-1",
    "+0.5",
    "-1e-3",
    "1.5",
    "'quoted'",
    "pleural effusion",
    " =1",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert of_cell(f"'{text}") == text
    for delimiter in (",", "\t"):
        written = table_text([(text, "x")], delimiter)
        ((first, _),) = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)
        assert first == f"'{text}".replace("\r", "\n")


@pytest.mark.parametrize("value", [*HARMLESS, 1, -1.5, None, True])
def test_other_cells_stay(value: object) -> None:
    assert cell(value) == value
    if isinstance(value, str):
        assert of_cell(value) == value


@pytest.mark.parametrize(
    "text", ["\x1b[2Jx", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\u202egnp.exe", "a\u200bb", "\x7f"]
)
def test_nothing_commands_the_terminal_or_hides(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert "\\u" in shown


@pytest.mark.parametrize("text", ["plain", "Ärzte\tund\nZeilen", "肺炎 ≥ 3 mm", "a\u00a0b", "🫁"])
def test_other_text_stays(text: str) -> None:
    assert visible(text) == text


def test_data_are_no_markup() -> None:
    said = plain("<script>alert(1)</script> [x](javascript:1) **b** | `c` & # - d")
    assert "<" not in said
    assert "\\[x\\](javascript" in said
    assert "\\*\\*b\\*\\* \\| \\`c\\` &amp; \\# - d" in said
    assert plain("- item") == "\\- item"
    assert inline("1. a\nb") == "1. a b"
    assert exact("a`b") == "`` a`b ``"
