"""The page of a comparison: verdicts in words, forest plots, no claim of what is not shown."""

import re
from dataclasses import replace

import pytest

from experiments.compare.records import Comparison, ModalityScore, Printed
from experiments.records.record import GraphUse, Measured
from experiments.reports.comparison_page import (
    render_comparison_markdown,
    render_comparison_page,
)


def words_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_it_says_what_is_shown_and_what_is_not(make_comparison) -> None:
    page = words_of(render_comparison_page(make_comparison()))
    for words in (
        "full is better than names",
        "+0.020 (+0.004 to +0.036) in macro AUROC, p 0.060 after Holm.",
        "No difference between full and shuffled is shown",
        "the interval includes zero.",
        "3 configurations on openi",
        "0.785 ± 0.007 (2 seeds)",
        "(n=21)",
        "Research use only.",
        "2000 resamples of 390 patient groups",
        "runs were made at 2 commits",
    ):
        assert words in page, words
    text = render_comparison_markdown(make_comparison())
    assert text.index("(n=4)") < text.index("(n=21)") < text.index("(n=60)")
    assert "Uses of the locked test set" not in page


def test_nothing_is_said_or_drawn_of_what_has_too_few_positives(make_comparison) -> None:
    page = render_comparison_page(make_comparison())
    assert "Cardiomegaly (n=60)</text>" in page
    assert "Fibrosis (n=4)</text>" not in page
    text = render_comparison_markdown(make_comparison())
    assert "| Fibrosis (n=4) | too few |  |  | too few positives |" in text


def test_rare_and_common_findings_have_a_part_of_their_own(make_comparison) -> None:
    made = make_comparison()
    text = render_comparison_markdown(made)
    assert (
        "full against shuffled: rare findings +0.030 (+0.010 to +0.050), higher; common findings "
        "+0.000 (-0.010 to +0.010), no difference shown; no difference between the two is shown "
        "(+0.030 (-0.010 to +0.070))."
    ) in text
    assert "| too few to average | 0.4% | Fibrosis |" in text
    assert "| common | 15.0% | Cardiomegaly |" in text
    assert "| full − shuffled | rare minus common | +0.030 (-0.010 to +0.070) |" in text
    assert "## Rare and common findings" not in render_comparison_markdown(
        replace(made, rarity=None)
    )


def test_an_interval_without_zero_is_no_win_where_holm_does_not_hold(make_comparison) -> None:
    made = make_comparison()
    first = replace(made.differences[0], verdict="not shown")
    page = words_of(render_comparison_page(replace(made, differences=(first,))))
    assert "No difference between full and names" in page
    assert "excludes zero, but p after Holm is not below 0.05" in page
    assert "is better than" not in page


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"differences": ()}, "No entries were paired"),
        (
            {"ledger": ({"date": "2026-01-01", "run": "r", "why": "final"},)},
            "locked test set by these runs",
        ),
    ],
)
def test_what_only_some_comparisons_have(make_comparison, changed, words) -> None:
    assert words in words_of(render_comparison_page(make_comparison(**changed)))


def test_the_share_of_edges_a_control_changed_stands_beside_it(make_comparison) -> None:
    made = make_comparison()
    graph = GraphUse("rewired", "beef" * 16, 400, 2300, control="shuffled", changed=0.6626)
    last = replace(made.entries[-1], graphs=(graph,))
    text = render_comparison_markdown(replace(made, entries=(*made.entries[:-1], last)))
    assert "| rewired beefbeefbeef (shuffled, 66.3% of clinical edges changed) |" in text
    assert "| shipped f00df00df00d |" in text


def test_modalities_and_printed_numbers_stand_in_tables_of_their_own(make_comparison) -> None:
    made = make_comparison()
    parts = (
        ModalityScore("ct", 90, 40, False, Measured(0.71, 0.6, 0.8)),
        ModalityScore("ultrasound", 20, 3, True, Measured(None)),
    )
    printed = (Printed("auroc_macro", 0.841, "table 2", "N", "other [split]"),)
    first = replace(made.entries[0], parts=parts, published=printed)
    text = render_comparison_markdown(replace(made, entries=(first, *made.entries[1:])))
    assert "| full | ct | 90 | 40 | 0.710 | 0.600 to 0.800 |" in text
    assert "| full | ultrasound | 20 | 3 | too few |  |" in text
    assert "| 0.841 | N | table 2 | other \\[split\\] |" in text


def test_it_is_safe_whole_and_the_same_after_a_file(
    make_comparison, keeps_to_itself, canary
) -> None:
    made = make_comparison()
    page, text = render_comparison_page(made), render_comparison_markdown(made)
    keeps_to_itself(page)
    assert "canary" in page
    assert "<script" not in page
    assert "<script" not in re.sub(r"```.*?```", "", text, flags=re.S)
    again = Comparison.from_json(made.as_json())
    assert render_comparison_page(again) == page
    assert render_comparison_markdown(again) == text


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_it_is_wider_than_the_screen(make_comparison, width, check_width) -> None:
    check_width(render_comparison_page(make_comparison()), width)
