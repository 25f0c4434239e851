"""Statements of many texts, and rows made of them, share by share, in this process or in several.

A share holds so many texts and characters at most, and few are under way at a time, so that any
number of texts takes no more memory than some shares.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from itertools import chain
from typing import NamedTuple, TypeVar

from experiments.labelling.tables import label_rows, statement_rows
from experiments.labelling.texts import LabelText, RawText, Reading, read_text
from experiments.workers import process_pool
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

__all__ = ["Share", "link_texts", "rows_of_texts"]

SHARE, LARGEST_SHARE = 500, 2**22
"""Most texts of a share, and the number of characters it is full with."""

UNDER_WAY = 3
"""Shares under way for each process."""

Linked = tuple[LabelText, list[Statement]]
Made = TypeVar("Made")


class Share(NamedTuple):
    """Rows of some texts, and what was counted over them.

    Args:
        rows: Rows of their statements or labels.
        texts: Number of texts.
        statements: Number of statements.
        flags: Number of texts with each flag of the reading.
    """

    rows: list[dict[str, object]]
    texts: int
    statements: int
    flags: Counter[str]


def link_texts(texts: Iterable[RawText], reading: Reading, workers: int = 1) -> Iterator[Linked]:
    """Each text with its statements, in order.

    Args:
        texts: What to read.
        reading: How to read it.
        workers: Processes that read; with one, and for a single share, it is this one.

    Raises:
        InputError: If one of them is killed.
    """
    return chain.from_iterable(_shared(partial(_link, reading=reading), texts, workers))


def rows_of_texts(
    texts: Iterable[RawText], reading: Reading, labels: str | None, workers: int = 1
) -> Iterator[Share]:
    """Rows of the label table of a label set, or of the statements without one, share by share."""
    return _shared(partial(_rows, reading=reading, labels=labels), texts, workers)


def _link(texts: Iterable[RawText], reading: Reading) -> list[Linked]:
    linker = _linker()
    read = (read_text(text, reading) for text in texts)
    return [(text, linker.link(text.passages)) for text in read]


def _rows(texts: Iterable[RawText], reading: Reading, labels: str | None) -> Share:
    linked, graph = _link(texts, reading), load_shipped()
    rows = label_rows(linked, graph, labels) if labels else statement_rows(linked, graph)
    if not labels and reading.free_text == "none":
        rows = [row | {"text": ""} for row in rows]
    flags = Counter(flag for text, _ in linked for flag in text.flags)
    return Share(rows, len(linked), sum(len(found) for _, found in linked), flags)


def _shared(
    work: Callable[[list[RawText]], Made], texts: Iterable[RawText], workers: int
) -> Iterator[Made]:
    """What is made of each share, in order.

    Raises:
        InputError: If a process that reads is killed.
    """
    shares = _shares(texts)
    first = [share for _, share in zip(range(2), shares, strict=False)]
    if workers == 1 or len(first) < 2:
        yield from map(work, chain(first, shares))
        return
    under_way: deque[Future[Made]] = deque()
    try:
        with process_pool(workers) as pool:
            for share in chain(first, shares):
                under_way.append(pool.submit(work, share))
                if len(under_way) > UNDER_WAY * workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            "a process that reads texts was killed", "check memory, or read with --workers 1"
        ) from None


def _shares(texts: Iterable[RawText]) -> Iterator[list[RawText]]:
    share: list[RawText] = []
    size = 0
    for text in texts:
        share.append(text)
        size += sum(len(cell) for _, cell in text.cells)
        if len(share) >= SHARE or size >= LARGEST_SHARE:
            yield share
            share, size = [], 0
    if share:
        yield share


@cache
def _linker() -> MentionLinker:
    return MentionLinker(load_shipped())
