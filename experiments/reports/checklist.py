"""Checklist of TRIPOD+AI and CLAIM items: those answered by a page, and those it cannot answer.

Numbers are those of TRIPOD+AI (Collins 2024, doi 10.1136/bmj-2023-078378: 27 items, 52 with their
parts) and of the 2024 update of CLAIM (Tejani 2024, doi 10.1148/ryai.240300: 44 items). Items
are paraphrased in `checklist.tsv`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from experiments.reports.document import Block, Folded, Link, Paragraph, Row, Section, Table

__all__ = ["Item", "checklist_items", "checklist_section"]

TOP = "top"
"""Name of the head of a page in the list."""


class Item(NamedTuple):
    """One item of a guideline.

    Args:
        guideline: `TRIPOD+AI` or `CLAIM 2024`.
        item: Number of the item.
        subject: Topic of the item.
        section: Section of a page that answers it; empty = none.
        remark: Place in that section, or reason why there is no answer.
    """

    guideline: str
    item: str
    subject: str
    section: str
    remark: str


@cache
def checklist_items() -> tuple[Item, ...]:
    """All items, in order."""
    path = Path(__file__).with_name("checklist.tsv")
    with path.open(encoding="utf-8", newline="") as lines:
        return tuple(Item(**row) for row in csv.DictReader(lines, delimiter="\t"))


def checklist_section(
    sections: Sequence[Section],
    *,
    called: Mapping[str, str] | None = None,
    otherwise: str = "this run has none",
) -> Section:
    """Section with the items that a page answers, and those it has no section for.

    Args:
        sections: The sections of the page.
        called: Other names of sections of a run's page on this page.
        otherwise: Remark on an item whose section is missing.
    """
    here = {section.id: section for section in sections}
    names = {name: name for name in here} | dict(called or {})
    titles = {name: here[place] for name, place in names.items() if place in here}
    blocks: list[Block] = []
    for guideline in dict.fromkeys(item.guideline for item in checklist_items()):
        items = [item for item in checklist_items() if item.guideline == guideline]
        answered = [item for item in items if item.section in titles or item.section == TOP]
        count = f"{guideline}: {len(answered)} of {len(items)} items have an answer here"
        blocks.append(Folded(count, (_table(items, titles, otherwise),)))
    explained = (
        "Items of the reporting guidelines that this page answers, and items it cannot answer. An "
        "answer here does not make a report complete."
    )
    title = "Reporting guidelines"
    return Section("checklist", title, (Paragraph(explained, "soft"), *blocks), "Guidelines")


def _table(items: Sequence[Item], titles: Mapping[str, Section], otherwise: str) -> Table:
    rows = tuple(_rows(items, titles, otherwise))
    return Table(("Item", "About", "Where", "Remark"), rows, frozenset({1, 2, 3}))


def _rows(items: Sequence[Item], titles: Mapping[str, Section], otherwise: str) -> Iterator[Row]:
    for item in items:
        if item.section == TOP:
            yield Row((item.item, item.subject, "top of the page", item.remark))
        elif item.section in titles:
            where = Link(titles[item.section].title, titles[item.section].id)
            yield Row((item.item, item.subject, where, item.remark))
        else:
            remark = otherwise if item.section else item.remark
            yield Row((item.item, item.subject, "not answered here", remark), faint=True)
