"""Statements of many texts, extracted in this process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from encoders.study import Passage
from experiments.labelling.texts import LabelText
from experiments.workers import end_with_parent
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
    """
    passages = [text.passages for text in texts]
    if workers == 1 or len(texts) <= SHARE:
        return list(zip(texts, map(_link, passages), strict=True))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool:
        return list(zip(texts, pool.map(_link, passages, chunksize=SHARE), strict=True))


def _link(passages: tuple[Passage, ...]) -> list[Statement]:
    return _linker().link(passages)


@cache
def _linker() -> MentionLinker:
    return MentionLinker(load_shipped())
