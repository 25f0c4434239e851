"""Items of TRIPOD+AI and CLAIM that a run's page answers, and those it cannot.

Numbers are those of TRIPOD+AI (Collins 2024, doi 10.1136/bmj-2023-078378: 27 items, 52 with their
parts) and of the 2024 update of CLAIM (Tejani 2024, doi 10.1148/ryai.240300: 44 items). What an
item is about is said in our own few words; `checklist.tsv` holds them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from experiments.reports.document import Block, Folded, Link, Row, Section, Table, Words

__all__ = ["Item", "checklist_items", "checklist_section"]

TOP = "top"
"""What the head of a page is called in the list."""


class Item(NamedTuple):
    """One item of a guideline.

    Args:
        guideline: `TRIPOD+AI` or `CLAIM 2024`.
        item: Its number.
        subject: What it is about.
        section: The section of a page that answers it; empty = none does.
        remark: What in that section, or why the page has no answer.
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


def checklist_section(sections: Sequence[Section]) -> Section:
    """What a page with these sections answers; what it has no section for is named as such."""
    titles = {section.id: section.title for section in sections}
    blocks: list[Block] = []
    for guideline in dict.fromkeys(item.guideline for item in checklist_items()):
        items = [item for item in checklist_items() if item.guideline == guideline]
        answered = [item for item in items if item.section in titles or item.section == TOP]
        count = f"{guideline}: {len(answered)} of {len(items)} items have an answer here"
        blocks.append(Folded(count, (_table(items, titles),)))
    explained = (
        "Where this page answers an item of the reporting guidelines, and which items it cannot "
        "answer. An answer here does not make a report complete."
    )
    title = "Reporting guidelines"
    return Section("checklist", title, (Words(explained, "soft"), *blocks), "Guidelines")


def _table(items: Sequence[Item], titles: dict[str, str]) -> Table:
    rows = tuple(_rows(items, titles))
    return Table(("Item", "About", "Where", "Remark"), rows, frozenset({1, 2, 3}))


def _rows(items: Sequence[Item], titles: dict[str, str]) -> Iterator[Row]:
    for item in items:
        if item.section == TOP:
            yield Row((item.item, item.subject, "top of the page", item.remark))
        elif item.section in titles:
            where = Link(titles[item.section], item.section)
            yield Row((item.item, item.subject, where, item.remark))
        else:
            remark = item.remark if not item.section else "this run has none"
            yield Row((item.item, item.subject, "not answered here", remark), faint=True)
