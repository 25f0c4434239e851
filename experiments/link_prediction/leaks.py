"""Inverse leaks: held-out edges that only repeat, by another relation, an edge learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from experiments.link_prediction.triples import Array, Triples

__all__ = ["LEAST_PAIRS", "Leak", "leaking", "leaks"]

SHARE = 0.8
"""Share of a relation's pairs that another must repeat to follow from it."""

LEAST_PAIRS = 5
"""Fewer shared pairs are chance."""


@dataclass(frozen=True)
class Leak:
    """A relation whose edges another relation repeats.

    Args:
        known: The relation learned from.
        asked: The relation that follows from it.
        reversed: Whether it holds from the other end.
        share: Share of the known relation's pairs for which it holds.
        pairs: Number of pairs for which both hold.
    """

    known: str
    asked: str
    reversed: bool
    share: float
    pairs: int


def leaks(triples: Triples) -> list[Leak]:
    """Relations that follow from others in the edges learned from, surest first.

    Args:
        triples: Only the edges learned from are looked at.
    """
    count = len(triples.relations)
    together = _overlap(triples)
    sizes = np.diag(together[:count, :count])
    found = []
    for known, asked in np.argwhere(together >= LEAST_PAIRS):
        mirrored = asked >= count
        if known >= count or asked == known:
            continue
        share = together[known, asked] / sizes[known]
        if share >= SHARE:
            names = triples.relations[known], triples.relations[asked % count]
            found.append(Leak(*names, bool(mirrored), float(share), int(together[known, asked])))
    return sorted(found, key=lambda leak: (-leak.share, -leak.pairs, leak.known, leak.asked))


def leaking(triples: Triples, edges: Array) -> NDArray[np.bool_]:
    """Which of these edges `[E, 3]` follow from one learned from, `[E]`."""
    kind = {name: place for place, name in enumerate(triples.relations)}
    learned = {tuple(edge) for edge in triples.train.tolist()}
    sources: dict[int, list[tuple[int, bool]]] = {}
    for leak in leaks(triples):
        sources.setdefault(kind[leak.asked], []).append((kind[leak.known], leak.reversed))

    def leaked(subject: int, relation: int, obj: int) -> bool:
        return any(
            ((obj, known, subject) if mirrored else (subject, known, obj)) in learned
            for known, mirrored in sources.get(relation, ())
        )

    return np.array([leaked(*edge) for edge in edges.tolist()], dtype=bool)


def _overlap(triples: Triples) -> Array:
    """Pairs that two directed kinds share, `[2 R, 2 R]`; the second half is from the other end."""
    count, concepts = len(triples.relations), len(triples.concepts)
    subjects, relations, objects = triples.train.T
    pairs = np.concatenate((subjects * concepts + objects, objects * concepts + subjects))
    _, pairs = np.unique(pairs, return_inverse=True)
    rows = np.concatenate((relations, relations + count))
    shape = 2 * count, pairs.max(initial=-1) + 1
    marks = csr_array((np.ones(len(rows), np.int64), (rows, pairs)), shape=shape)
    dense: Array = (marks @ marks.T).toarray()
    return dense
