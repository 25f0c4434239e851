"""Page of a matrix: what the graph brings by each mechanism, as HTML, Markdown and csv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from experiments.compare.records import Difference
from experiments.compare.wording import macro_name, p_value, signed, verdict_sentence
from experiments.plans.matrix_result import ArmRow, MatrixResult, MechanismRow
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
from kg.files.shown import table_text

__all__ = ["arm_rows", "heads", "matrix_page", "render_matrix", "result_rows"]

LEVEL = 0.95
ARMS = (
    "Mechanism",
    "Setting",
    "Arm",
    "AUROC",
    "Graph minus this arm",
    "p after Holm",
    "Over seeds",
)
SYSTEMS = ("Mechanism", "System", "Fidelity", "Labels", "Inputs at test", "Learns from")


def render_matrix(result: MatrixResult, ending: str) -> str:
    """A result as the text of a file with the ending `.html`, `.md`, `.csv` or `.json`."""
    if ending == ".csv":
        return table_text([CSV, *_lines(result)])
    if ending == ".json":
        return json.dumps(result.as_json(), indent=2, ensure_ascii=False) + "\n"
    page = matrix_page(result)
    return render_html(page) if ending == ".html" else render_markdown(page)


def matrix_page(result: MatrixResult) -> Page:
    """Page of a matrix."""
    called = [one for one in _primaries(result) if one.verdict == "higher"]
    return Page(
        title=f"Matrix {result.name}",
        kicker=f"kgdx plan {result.name}",
        heading=result.about or result.name,
        lead=f"By {len(called)} of {result.mechanisms} mechanisms the graph is shown to help.",
        badges=(Badge("research use only"),),
        summary=Pairs(
            (
                Pair("Primary endpoint", f"{result.arm} minus {result.minus}, {result.setting}"),
                Pair("Metric", macro_name(result.metric)),
                Pair("Holm over", f"{result.mechanisms} mechanisms"),
            )
        ),
        sections=(
            Section("result", "Result", tuple(_result(result)), "Result"),
            Section("arms", "Arms and settings", (_arms(result),), "Arms"),
            Section("systems", "Systems", (_systems(result),), "Systems"),
            Section("notes", "Notes", (Bullets((*result.tested, *result.notes)),), "Notes"),
        ),
        foot="Made by kgdx from the records of the matrix's runs.",
    )


def heads(result: MatrixResult) -> tuple[str, ...]:
    """Headings of `result_rows`."""
    return ("Mechanism", "How the graph enters", f"{result.arm} minus {result.minus}",
            "p after Holm")  # fmt: skip


def result_rows(result: MatrixResult) -> Iterator[tuple[str, ...]]:
    """Primary difference of each mechanism, or what is missing."""
    for row in result.rows:
        if row.primary is None:
            left = [one.state for one in row.arms if _is_primary(result, one) and one.state]
            yield row.name, row.says, left[0] if left else f"{result.arm} is not finished", ""
        else:
            value, _, p = judged(row.primary)
            yield row.name, row.says, value, p


def arm_rows(result: MatrixResult) -> Iterator[tuple[str, ...]]:
    """Metric of each arm under each setting, and what the graph brings over it."""
    for row, arm in _every(result):
        value = arm.value.words() if arm.value else arm.state
        gap, p = "", ""
        if arm.difference is not None:
            gap, _, p = judged(arm.difference)
        sd = "" if arm.by_seed.sd is None else f"sd {arm.by_seed.sd:.3f}"
        yield row.name, arm.setting, arm.arm, value, gap, p, sd


def _every(result: MatrixResult) -> Iterator[tuple[MechanismRow, ArmRow]]:
    """Every arm, the primary difference as it is corrected over the mechanisms."""
    for row in result.rows:
        for arm in row.arms:
            if _is_primary(result, arm) and row.primary is not None:
                yield row, replace(arm, difference=row.primary)
            else:
                yield row, arm


def _is_primary(result: MatrixResult, arm: ArmRow) -> bool:
    return (arm.setting, arm.arm) == (result.setting, result.minus)


def _primaries(result: MatrixResult) -> list[Difference]:
    return [row.primary for row in result.rows if row.primary is not None]


def _result(result: MatrixResult) -> Iterator[Block]:
    yield Bullets(
        tuple(
            f"{row.name}: {row.says} {verdict_sentence(row.primary, LEVEL)}"
            for row in result.rows
            if row.primary is not None
        )
    )
    names = [row.name for row in result.rows if row.primary is not None]
    yield from forest(_primaries(result), names, f"{result.arm} minus {result.minus}")
    rows = (
        Row(cells, faint=row.primary is None)
        for cells, row in zip(result_rows(result), result.rows, strict=True)
    )
    yield Table(heads(result), tuple(rows), frozenset({1}))
    yield Paragraph(
        "Primary differences are corrected over all mechanisms, those not yet run as ones that "
        "show nothing; all others within their mechanism and setting.",
        "note",
    )


def _arms(result: MatrixResult) -> Table:
    rows = tuple(
        Row(cells, strong=arm.arm == result.arm, faint=bool(arm.state))
        for cells, (_, arm) in zip(arm_rows(result), _every(result), strict=True)
    )
    return Table(ARMS, rows, frozenset({1, 2}))


def _systems(result: MatrixResult) -> Table:
    rows = tuple(
        Row(
            (
                row.name,
                row.system,
                row.fidelity,
                row.labels,
                " + ".join(row.inputs_at_test),
                " + ".join(row.supervision),
            )
        )
        for row in result.rows
    )
    return Table(SYSTEMS, rows, frozenset(range(1, len(SYSTEMS))))


CSV = (
    *("mechanism", "setting", "arm", "state", "metric", "value", "low", "high", "primary"),
    *("difference", "difference_low", "difference_high", "p", "p_holm", "verdict"),
    *("rare_minus_common", "parameters"),
)


def _lines(result: MatrixResult) -> Iterator[list[object]]:
    """One line per arm with a column for each number."""
    for row, arm in _every(result):
        value, gap = arm.value, arm.difference
        yield [
            *(row.name, arm.setting, arm.arm, arm.state or "finished", result.metric),
            *([_three(one) for one in (value.value, value.low, value.high)] if value else [""] * 3),
            "yes" if _is_primary(result, arm) else "",
            *(_gap(gap) if gap else [""] * 6),
            signed(arm.rare.value) if arm.rare else "",
            arm.parameters,
        ]


def _gap(gap: Difference) -> list[object]:
    ends = (gap.value.value, gap.value.low, gap.value.high)
    return [*map(_three, ends), p_value(gap.p), p_value(gap.p_holm), gap.verdict]


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
