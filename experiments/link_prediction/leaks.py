"""Inverse leaks: held-out edges that repeat a training edge by another relation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from experiments.link_prediction.triples import Array, Triples

__all__ = ["LEAST_PAIRS", "Leak", "leaking", "leaks"]

SHARE = 0.8
"""Least share of a relation's pairs that an implied relation repeats."""

LEAST_PAIRS = 5
"""Least number of shared pairs; fewer are chance."""


@dataclass(frozen=True)
class Leak:
    """A relation whose edges another relation repeats.

    Args:
        known: The relation in training.
        implied: The relation that follows from it.
        reversed: True if it holds from the other end.
        share: Share of the known relation's pairs for which it holds.
        pairs: Number of pairs for which both hold.
    """

    known: str
    implied: str
    reversed: bool
    share: float
    pairs: int


def leaks(triples: Triples) -> list[Leak]:
    """Relations that follow from others in the training edges, surest first.

    Args:
        triples: The edges, of which the training edges count.
    """
    count = len(triples.relations)
    together = _overlap(triples)
    sizes = np.diag(together[:count, :count])
    found = []
    for known, implied in np.argwhere(together >= LEAST_PAIRS):
        mirrored = implied >= count
        if known >= count or implied == known:
            continue
        share = together[known, implied] / sizes[known]
        if share >= SHARE:
            names = triples.relations[known], triples.relations[implied % count]
            found.append(Leak(*names, bool(mirrored), float(share), int(together[known, implied])))
    return sorted(found, key=lambda leak: (-leak.share, -leak.pairs, leak.known, leak.implied))


def leaking(triples: Triples, edges: Array) -> NDArray[np.bool_]:
    """True for each of these edges `[E, 3]` that follows from a training edge, `[E]`."""
    kind = {name: place for place, name in enumerate(triples.relations)}
    learned = {tuple(edge) for edge in triples.train.tolist()}
    known_relations: dict[int, list[tuple[int, bool]]] = {}
    for leak in leaks(triples):
        known_relations.setdefault(kind[leak.implied], []).append((kind[leak.known], leak.reversed))

    def leaked(subject: int, relation: int, obj: int) -> bool:
        return any(
            ((obj, known, subject) if mirrored else (subject, known, obj)) in learned
            for known, mirrored in known_relations.get(relation, ())
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
