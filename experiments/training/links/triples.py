"""Edges as triples of numbers in three splits, from a clinical graph or from text files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kg.arrays import clinical_edges
from kg.edges import RELATIONS
from kg.errors import InputError
from kg.graph import KnowledgeGraph

__all__ = ["PARTS", "Triples", "from_graph", "from_rows"]

PARTS = ("train", "valid", "test")

Array = NDArray[np.int64]
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Triples:
    """Edges of a graph in three splits.

    Args:
        concepts: Names of the concepts (`N`), in order.
        relations: Names of the relations (`R`), in order.
        train: Subject, relation and object of each edge to learn from, `[E, 3]`.
        valid: Likewise, to choose by.
        test: Likewise, to measure on.
        fingerprint: Fingerprint of the graph, or of the files' edges.
        symmetric: Relations for which an edge says the same in both directions.
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
        """The kind that says the same from the other end, `[2 R]`; its own for a symmetric one."""
        count = len(self.relations)
        there = [
            place if name in self.symmetric else place + count
            for place, name in enumerate(self.relations)
        ]
        return np.array([*there, *range(count)], dtype=np.int64)

    def directed(self, part: str) -> Array:
        """Both directions of a split's edges, `[2 E, 3]`: as they stand, then from the other end."""
        edges: Array = getattr(self, part)
        back = np.stack((edges[:, 2], self.inverse[edges[:, 1]], edges[:, 0]), axis=1)
        return np.concatenate((edges, back))


def from_rows(splits: Sequence[Sequence[Row]]) -> Triples:
    """Triples from named edges, in the three splits.

    Concepts and relations are ordered by name, and an edge that stands twice counts once, in the
    first split it stands in.
    """
    rows = [list(dict.fromkeys(split)) for split in splits]
    concepts = tuple(sorted({end for split in rows for row in split for end in (row[0], row[2])}))
    relations = tuple(sorted({row[1] for split in rows for row in split}))
    place = {name: number for number, name in enumerate(concepts)}
    kind = {name: number for number, name in enumerate(relations)}
    digest = hashlib.sha256()
    seen: set[Row] = set()
    arrays = []
    for split in rows:
        fresh = [row for row in split if row not in seen]
        seen.update(fresh)
        digest.update(repr(sorted(fresh)).encode())
        numbers = [(place[s], kind[r], place[o]) for s, r, o in fresh]
        arrays.append(np.array(numbers, dtype=np.int64).reshape(-1, 3))
    return Triples(concepts, relations, *arrays, fingerprint=digest.hexdigest())


def from_graph(
    graph: KnowledgeGraph, *, seed: int, held_out: float = 0.1, bookkeeping: bool = False
) -> Triples:
    """Edges of a clinical graph, split at random.

    All edges between two concepts stand in one split, so that the twin of a held-out edge (its
    inverse, or the same edge of a symmetric relation from the other end) is never learned from.
    Every concept and relation is left at least one edge to learn from.

    Args:
        graph: The graph.
        seed: Seed of the split.
        held_out: Share of the edges in validation, and again in test.
        bookkeeping: Whether relations that organise the graph rather than medicine count too.

    Raises:
        InputError: If the graph has too few edges to hold any out.
    """
    if bookkeeping:
        rows = list(dict.fromkeys(edge.key[:3] for edge in graph.edges))
    else:
        edges = clinical_edges(graph)
        ends = zip(edges.subjects, edges.relations, edges.objects, strict=True)
        rows = [(graph.concepts[s].id, edges.kinds[r], graph.concepts[o].id) for s, r, o in ends]
    relations = tuple(sorted({row[1] for row in rows}))
    kind = {name: number for number, name in enumerate(relations)}
    numbers = [(graph.index[s], kind[r], graph.index[o]) for s, r, o in rows]
    triples = np.array(numbers, dtype=np.int64).reshape(-1, 3)
    where = _split(triples, len(relations), held_out, np.random.default_rng(seed))
    if not (where == 1).any() or not (where == 2).any():
        raise InputError(
            f"{graph.name}: {len(triples)} edges are too few to hold any out",
            "link prediction needs a graph in which concepts have several edges",
        )
    return Triples(
        tuple(concept.id for concept in graph.concepts),
        relations,
        *(triples[where == part] for part in range(3)),
        fingerprint=graph.fingerprint,
        symmetric=frozenset(name for name in relations if RELATIONS[name].symmetric),
    )


def _split(
    triples: Array, relations: int, held_out: float, generator: np.random.Generator
) -> NDArray[np.int8]:
    """Split of each triple, `[E]`: 0 to learn from, 1 and 2 held out."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (subject, _, obj) in enumerate(triples.tolist()):
        groups[min(subject, obj), max(subject, obj)].append(place)
    ends = np.bincount(triples[:, [0, 2]].ravel())
    uses = np.bincount(triples[:, 1], minlength=relations)
    where = np.zeros(len(triples), np.int8)
    wanted = round(held_out * len(triples))
    taken = {1: 0, 2: 0}
    pairs = list(groups)
    for number in generator.permutation(len(pairs)):
        part = 1 if taken[1] < wanted else 2
        if taken[part] >= wanted:
            break
        pair = pairs[number]
        places = groups[pair]
        share = np.bincount(triples[places, 1], minlength=relations)
        if pair[0] == pair[1] or min(ends[list(pair)]) <= len(places) or (uses <= share)[
            share > 0
        ].any():
            continue
        ends[list(pair)] -= len(places)
        uses -= share
        where[places] = part
        taken[part] += len(places)
    return where
