"""A page as Markdown: text and tables of its HTML, without drawings and images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from experiments.reports.document import (
    Bar,
    Block,
    Bullets,
    Code,
    Examples,
    Figures,
    Folded,
    Heading,
    Link,
    Page,
    Pairs,
    Paragraph,
    Section,
    Table,
    Tiles,
)
from experiments.reports.pages import without_control
from experiments.reports.wording import number
from kg.files.shown import exact, inline, plain

__all__ = ["render_markdown"]


def render_markdown(page: Page) -> str:
    """The page as Markdown text; all values are escaped."""
    return without_control("\n\n".join(part for part in _page(page) if part) + "\n")


def _page(page: Page) -> Iterator[str]:
    yield f"# {plain(page.heading)}"
    yield plain(page.kicker)
    yield plain(page.lead)
    yield " · ".join(f"**{plain(badge.text)}**" for badge in page.badges)
    yield plain(page.note)
    yield _pairs(page.summary)
    for section in page.sections:
        yield from _section(section)
    yield "---" if page.foot else ""
    yield plain(page.foot)


def _section(section: Section) -> Iterator[str]:
    yield f'<a id="{section.id}"></a>\n\n## {plain(section.title)}'
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Examples):
        for card in block.cards:
            yield from _card(card)
    elif isinstance(block, Folded):
        yield f"### {plain(block.title)}"
        for inner in block.blocks:
            yield from _block(inner)
    elif isinstance(block, Figures):
        count = len(block.figures)
        yield f"({count} drawing{'s' * (count > 1)} on the HTML page.)"
    else:
        yield _text_of(block)


def _text_of(block: Paragraph | Heading | Bullets | Pairs | Table | Tiles | Code) -> str:
    match block:
        case Paragraph():
            return plain(block.text)
        case Heading():
            return f"### {plain(block.text)}"
        case Bullets():
            return "\n".join(f"- {plain(item)}" for item in block.items)
        case Pairs():
            return _pairs(block)
        case Table():
            return _table(block)
        case Tiles():
            heads = ("", "Value", "95% interval")
            return _lines(heads, [(t.what, t.value, t.interval) for t in block.tiles])
        case Code():
            return _code(block.text)


def _pairs(pairs: Pairs) -> str:
    return "\n".join(
        f"- {plain(row.name)}: {exact(row.value) if row.exact else plain(row.value)}"
        for row in pairs.stated
    )


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _table(table: Table) -> str:
    shown = [place for place, column in enumerate(table.columns) if column]
    rows = [[_cell(row.cells[place]) for place in shown] for row in table.rows]
    heads = [inline(table.columns[place]) for place in shown]
    marks = ["---" if place in table.words or not place else "---:" for place in shown]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *rows))


def _cell(cell: str | Bar | Link) -> str:
    match cell:
        case Link():
            return f"[{inline(cell.text)}](#{cell.section})"
        case Bar():
            return f"{number(cell.low)} to {number(cell.high)}"
    return inline(cell)


def _lines(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    marks = ("---",) * len(heads)
    cells = (heads, marks, *(tuple(map(inline, row)) for row in rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _card(card: Mapping[str, Any]) -> Iterator[str]:
    """Study with its text and predictions."""
    yield f"### Study {plain(card['study'])}"
    if card["images"]:
        yield f"{len(card['images'])} images are shown on the HTML page."
    if card["text"]:
        yield "\n".join(f"> {plain(line)}" for line in card["text"].splitlines() if line.strip())
    rows = [
        (
            answer["label"],
            number(answer["probability"], 2),
            number(answer["threshold"], 2),
            answer["verdict"][1],
            "; ".join(answer["evidence"]),
        )
        for answer in card["findings"]
    ]
    yield _lines(("Finding", "Probability", "Threshold", "Verdict", "Evidence"), rows)
