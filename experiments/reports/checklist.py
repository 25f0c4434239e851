"""Items of TRIPOD+AI and CLAIM that a run's page answers, and those it cannot.

Numbers are those of TRIPOD+AI (Collins 2024, doi 10.1136/bmj-2023-078378: 27 items, 52 with their
parts) and of the 2024 update of CLAIM (Tejani 2024, doi 10.1148/ryai.240300: 44 items). What an
item is about is said in our own few words; `checklist.tsv` holds them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
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


def checklist_section(
    sections: Sequence[Section],
    *,
    called: Mapping[str, str] | None = None,
    otherwise: str = "this run has none",
) -> Section:
    """What a page with these sections answers; what it has no section for is named as such.

    Args:
        sections: The sections of the page.
        called: What a section of a run's page is called here, where it has another name.
        otherwise: Why an item is not answered whose section is missing.
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
        "Where this page answers an item of the reporting guidelines, and which items it cannot "
        "answer. An answer here does not make a report complete."
    )
    title = "Reporting guidelines"
    return Section("checklist", title, (Words(explained, "soft"), *blocks), "Guidelines")


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
