"""Statements of many texts, extracted in this process or in several."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cache

from encoders.study import Passage
from experiments.labelling.texts import LabelText
from experiments.workers import process_pool
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

__all__ = ["link_texts"]

SHARE = 500
"""Number of texts given to a process at a time."""


def link_texts(
    texts: Sequence[LabelText], workers: int = 1
) -> list[tuple[LabelText, list[Statement]]]:
    """Each text with its statements, in order.

    Args:
        texts: What to read.
        workers: Processes that read; with one it is this one.

    Raises:
        InputError: If one of them is killed.
    """
    passages = [text.passages for text in texts]
    if workers == 1 or len(texts) <= SHARE:
        return list(zip(texts, map(_link, passages), strict=True))
    try:
        with process_pool(workers) as pool:
            return list(zip(texts, pool.map(_link, passages, chunksize=SHARE), strict=True))
    except BrokenProcessPool:
        raise InputError(
            "a process that reads texts was killed", "check memory, or read with --workers 1"
        ) from None


def _link(passages: tuple[Passage, ...]) -> list[Statement]:
    return _linker().link(passages)


@cache
def _linker() -> MentionLinker:
    return MentionLinker(load_shipped())
