"""Edges as triples of numbers in three splits, from a clinical graph or from text files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

__all__ = ["SPLITS", "Triples", "Row", "from_graph", "from_rows", "held_out_of"]

SPLITS = ("train", "valid", "test")

Array = NDArray[np.int64]
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Triples:
    """Edges of a graph in three splits.

    Args:
        concepts: Names of the concepts (`N`), in order.
        relations: Names of the relations (`R`), in order.
        train: Subject, relation and object of each training edge, `[E, 3]`.
        valid: The validation edges, likewise.
        test: The test edges, likewise.
        fingerprint: Fingerprint of the graph, or of the files' edges.
        symmetric: Symmetric relations.
    """

    concepts: tuple[str, ...]
    relations: tuple[str, ...]
    train: Array
    valid: Array
    test: Array
    fingerprint: str
    symmetric: frozenset[str] = frozenset()

    @property
    def kinds(self) -> int:
        """Number of directed kinds: each relation and its inverse."""
        return 2 * len(self.relations)

    @cached_property
    def inverse(self) -> Array:
        """The kind of the inverse, `[2 R]`; a symmetric kind is its own."""
        count = len(self.relations)
        there = [
            place if name in self.symmetric else place + count
            for place, name in enumerate(self.relations)
        ]
        return np.array([*there, *range(count)], dtype=np.int64)

    def directed(self, split: str) -> Array:
        """Edges of a split as written, then from the other end, `[2 E, 3]`."""
        edges: Array = getattr(self, split)
        back = np.stack((edges[:, 2], self.inverse[edges[:, 1]], edges[:, 0]), axis=1)
        return np.concatenate((edges, back))


def from_rows(splits: Sequence[Sequence[Row]]) -> Triples:
    """Triples from named edges in three given splits.

    A repeated edge counts once, in the first split that holds it.
    """
    seen: set[Row] = set()
    fresh: list[list[Row]] = []
    for split in splits:
        fresh.append([row for row in dict.fromkeys(split) if row not in seen])
        seen.update(fresh[-1])
    (train, valid, test), concepts, relations = _numbered(fresh)
    return Triples(concepts, relations, train, valid, test, _digest(fresh))


def held_out_of(rows: Iterable[Row], *, seed: int, share: float = 0.1) -> Triples:
    """Triples from named edges, split at random as `from_graph` does.

    Raises:
        InputError: If there are too few edges to hold any out.
    """
    unique = list(dict.fromkeys(rows))
    (edges,), concepts, relations = _numbered([unique])
    train, valid, test = _divided(edges, len(relations), share, seed)
    return Triples(concepts, relations, train, valid, test, _digest([unique]))


def from_graph(
    graph: KnowledgeGraph, *, seed: int, share: float = 0.1, bookkeeping: bool = False
) -> Triples:
    """Edges of a clinical graph, split at random.

    All edges between two concepts are in one split, so that the twin of a held-out edge (its
    inverse, or the same edge of a symmetric relation from the other end) is never trained on.
    Every concept and relation keeps at least one training edge.

    Args:
        graph: The graph.
        seed: Seed of the split.
        share: Share of the edges in validation, and again in test.
        bookkeeping: True if relations that organise the graph rather than medicine count too.

    Raises:
        InputError: If the graph has too few edges to hold any out.
    """
    kept = {
        edge.key[:3]: None
        for edge in graph.edges
        if bookkeeping or not RELATIONS[edge.relation].bookkeeping
    }
    relations = tuple(sorted({relation for _, relation, _ in kept}))
    kind = {name: number for number, name in enumerate(relations)}
    numbers = [(graph.index[s], kind[r], graph.index[o]) for s, r, o in kept]
    edges = np.array(numbers, np.int64).reshape(-1, 3)
    train, valid, test = _divided(edges, len(relations), share, seed)
    concepts = tuple(concept.id for concept in graph.concepts)
    symmetric = frozenset(name for name in relations if RELATIONS[name].symmetric)
    return Triples(concepts, relations, train, valid, test, graph.fingerprint, symmetric)


def _numbered(splits: list[list[Row]]) -> tuple[list[Array], tuple[str, ...], tuple[str, ...]]:
    """Edges as numbers, and the concepts and relations they number, ordered by name."""
    rows = [row for split in splits for row in split]
    concepts = tuple(sorted({end for row in rows for end in (row[0], row[2])}))
    relations = tuple(sorted({row[1] for row in rows}))
    place = {name: number for number, name in enumerate(concepts)}
    kind = {name: number for number, name in enumerate(relations)}
    arrays = [
        np.array([(place[s], kind[r], place[o]) for s, r, o in split], np.int64).reshape(-1, 3)
        for split in splits
    ]
    return arrays, concepts, relations


def _digest(splits: list[list[Row]]) -> str:
    return hashlib.sha256(repr([sorted(split) for split in splits]).encode()).hexdigest()


def _divided(triples: Array, relations: int, share: float, seed: int) -> list[Array]:
    where = _split(triples, relations, share, np.random.default_rng(seed))
    if not (where == 1).any() or not (where == 2).any():
        raise InputError(
            f"{len(triples)} edges are too few to hold any out",
            "link prediction needs a graph in which concepts have several edges",
        )
    return [triples[where == split] for split in range(3)]


def _split(
    triples: Array, relations: int, share: float, generator: np.random.Generator
) -> NDArray[np.int8]:
    """Split of each triple, `[E]`: 0 training, 1 and 2 held out."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (subject, _, obj) in enumerate(triples.tolist()):
        groups[min(subject, obj), max(subject, obj)].append(place)
    ends = np.bincount(triples[:, [0, 2]].ravel())
    uses = np.bincount(triples[:, 1], minlength=relations)
    where = np.zeros(len(triples), np.int8)
    wanted = round(share * len(triples))
    taken = {1: 0, 2: 0}
    pairs = list(groups)
    for number in generator.permutation(len(pairs)):
        split = 1 if taken[1] < wanted else 2
        if taken[split] >= wanted:
            break
        pair = pairs[number]
        places = groups[pair]
        kinds = np.unique(triples[places, 1])
        last = min(ends[list(pair)]) <= len(places) or min(uses[kinds]) <= len(places)
        if last or pair[0] == pair[1]:
            continue
        ends[list(pair)] -= len(places)
        uses -= np.bincount(triples[places, 1], minlength=relations)
        where[places] = split
        taken[split] += len(places)
    return where
