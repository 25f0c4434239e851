"""Page of a plan: its systems beside a reference, as HTML, Markdown and csv."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from experiments.compare.records import Difference
from experiments.compare.wording import macro_name, p_value, seeds_words, verdict_sentence
from experiments.plans.result import PlanResult, ResultRow
from experiments.reports.comparing import forest, judged
from experiments.reports.document import (
    Badge,
    Block,
    Bullets,
    Page,
    Pair,
    Pairs,
    Paragraph,
    Row,
    Section,
    Table,
)
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from kg.errors import check_format
from kg.files.shown import table_text

__all__ = ["about_rows", "check_ending", "heads", "plan_page", "render_plan", "result_rows"]

LEVEL = 0.95
NOTHING = "-"


def render_plan(result: PlanResult, ending: str) -> str:
    """A result as the text of a file.

    Args:
        result: The result.
        ending: `.html`, `.md`, `.csv` or `.json`.

    Raises:
        InputError: If there is no such format.
    """
    check_ending(ending)
    return _WRITERS[ending](result)


def check_ending(ending: str) -> None:
    """Raise for an unknown format before anything is computed.

    Raises:
        InputError: If there is no such format.
    """
    check_format("a plan's table", ending, _WRITERS)


def plan_page(result: PlanResult) -> Page:
    """Page of a plan."""
    compared = [row.difference for row in result.rows if row.difference]
    called = [one for one in compared if one.verdict in ("higher", "lower")]
    return Page(
        title=f"Plan {result.name}",
        kicker=f"kgdx plan {result.name}",
        heading=result.about or result.name,
        lead=f"{len(called)} of {len(compared)} systems are shown to differ from the reference.",
        badges=(Badge("research use only"),),
        summary=Pairs(
            (
                Pair("Compared with", result.reference),
                Pair("Metric", macro_name(result.metric)),
                Pair("Folds", str(max(row.folds for row in result.rows))),
                Pair("Seeds", str(max(row.seeds for row in result.rows))),
                Pair("Training time 1", result.time_reference),
            )
        ),
        sections=(
            Section("result", "Result", tuple(_result(result, compared)), "Result"),
            Section("systems", "Systems", (_systems(result),), "Systems"),
            Section("published", "Published, not measured here", (_published(result),)),
            Section("notes", "Notes", (Bullets((*result.tested, *result.notes)),), "Notes"),
        ),
        foot="Made by kgdx from the records of the plan's runs.",
    )


def heads(result: PlanResult) -> tuple[str, ...]:
    """Headings of `result_rows`."""
    metric, minus = macro_name(result.metric, start=True), f"Minus {result.reference}"
    return ("System", metric, "Over seeds", minus, "p after Holm", "Published, and its mark")


def result_rows(result: PlanResult) -> Iterator[tuple[str, ...]]:
    """Metric of each system and its difference, or the reason why there is none."""
    for row in result.rows:
        value = row.value.words() if row.value else row.state
        yield row.name, value, seeds_words(row.by_seed), *_judged(row), _printed(row)


def about_rows(result: PlanResult) -> Iterator[tuple[str, ...]]:
    """Inputs, text policy, supervision, fidelity, parameters and time of each system."""
    for row in result.rows:
        if row.value:
            yield (
                row.name,
                " + ".join(row.inputs_at_test) or "nothing",
                row.text_policy,
                " + ".join(row.supervision) or "nothing",
                row.fidelity,
                "" if row.parameters is None else f"{row.parameters:,}",
                _time(row),
            )


ABOUT = (
    *("System", "Inputs at test", "Text policy", "Learns from", "Fidelity"),
    *("Trained parameters", "Training time"),
)


def _judged(row: ResultRow) -> tuple[str, str]:
    """Difference and p after Holm, or the reason why there is none."""
    if row.difference is None:
        return row.not_compared or NOTHING, ""
    value, _, p = judged(row.difference)
    return value, p


def _printed(row: ResultRow) -> str:
    """Published numbers with their marks; where they stand is in a table of its own."""
    return "; ".join(f"{one.metric} {one.value:g} ({one.mark})" for one in row.published)


def _time(row: ResultRow) -> str:
    """`0.4`, or `0.1 (1.3 with the run it starts from)`."""
    if row.time is None:
        return NOTHING
    own, start, by_processor = row.time
    started = "" if start is None else f" ({start:.2g} with the run it starts from)"
    return f"{own:.2g}{started}{'' if by_processor else ', by the clock'}"


def _result(result: PlanResult, compared: list[Difference]) -> Iterator[Block]:
    labels = [one.first for one in compared]
    yield Bullets(tuple(verdict_sentence(one, LEVEL) for one in compared))
    yield from forest(compared, labels, f"minus {result.reference}")
    rows = (
        Row(cells, strong=row.name == result.reference, faint=bool(row.state))
        for cells, row in zip(result_rows(result), result.rows, strict=True)
    )
    yield Table(heads(result), tuple(rows), frozenset({5}))
    if result.chosen:
        chosen = (f"{label}: {name}" for label, name in result.chosen.items())
        yield Paragraph(f"Chosen on validation of one fold: {'; '.join(chosen)}.", "note")


def _systems(result: PlanResult) -> Table:
    rows = tuple(Row(cells) for cells in about_rows(result))
    return Table(ABOUT, rows, frozenset({1, 2, 3, 4}))


def _published(result: PlanResult) -> Table:
    rows = (
        Row((row.name, one.metric, f"{one.value:g}", one.mark, one.where, one.differs))
        for row in result.rows
        for one in row.published
    )
    heads = ("System", "Metric", "Published", "Mark", "Where", "What differs")
    return Table(heads, tuple(rows), frozenset({1, 3, 4, 5}))


CSV = (
    *("system", "inputs_at_test", "text_policy", "leakage", "supervision", "fidelity", "state"),
    *("seeds", "folds", "metric", "value", "low", "high", "against", "difference"),
    *("difference_low", "difference_high", "p", "p_holm", "verdict", "not_compared", "parameters"),
    *("time", "time_with_start", "published"),
)


def _csv(result: PlanResult) -> str:
    return table_text([CSV, *(_line(result, row) for row in result.rows)])


def _line(result: PlanResult, row: ResultRow) -> list[object]:
    """One row with a column for each number."""
    value, gap = row.value, row.difference
    return [
        *(row.name, " + ".join(row.inputs_at_test), row.text_policy, row.leakage),
        *(" + ".join(row.supervision), row.fidelity, row.state or "finished"),
        *(row.seeds, row.folds, result.metric),
        *([_three(value.value), _three(value.low), _three(value.high)] if value else [""] * 3),
        *(_gap(gap) if gap else [""] * 7),
        *(row.not_compared, row.parameters),
        *([_three(row.time.own), _three(row.time.with_start)] if row.time else [""] * 2),
        _printed(row),
    ]


def _gap(gap: Difference) -> list[object]:
    ends = (gap.value.value, gap.value.low, gap.value.high)
    return [gap.second, *map(_three, ends), p_value(gap.p), p_value(gap.p_holm), gap.verdict]


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


_WRITERS: dict[str, Callable[[PlanResult], str]] = {
    ".html": lambda result: render_html(plan_page(result)),
    ".md": lambda result: render_markdown(plan_page(result)),
    ".csv": _csv,
    ".json": lambda result: json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n",
}
