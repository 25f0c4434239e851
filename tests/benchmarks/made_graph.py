"""A made-up clinical graph of any size, for benchmarks: hubs, twelve relations, evidence on all."""

from __future__ import annotations

import numpy as np

from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

KINDS = ("finding", "disease", "anatomy", "symptom", "device", "procedure")
RELATIONS = ("co_occurs_with", "located_in", "has_phenotype", "has_symptom", "suggestive_of",
             "part_of", "is_a", "causes_or_contributes_to", "differential_of", "has_distribution",
             "disease_has_location", "observed_with")  # fmt: skip
SYLLABLES = ("car", "pul", "mo", "na", "ri", "tho", "ple", "u", "ral", "ax", "ven", "tri", "os")


def made_graph(concepts: int, edges: int, seed: int = 0) -> KnowledgeGraph:
    """Concepts of six kinds, of which a few take most edges; no relation has a cycle."""
    draw = np.random.default_rng(seed)
    names = draw.integers(len(SYLLABLES), size=(concepts, 6))
    nodes = tuple(
        Concept(
            f"ckg:c{place:06}",
            f"{''.join(SYLLABLES[n] for n in name)} {place}",
            KINDS[place % len(KINDS)],
            synonyms=(f"{''.join(SYLLABLES[n] for n in name[::-1])} {place}",),
            source="made up",
        )
        for place, name in enumerate(names)
    )
    books = [Evidence(f"book {n}, made up", "curated", "asserted", None, "CC0") for n in range(40)]
    found: dict[tuple[int, int, int], Edge] = {}
    while len(found) < edges:
        size = edges - len(found)
        subjects = draw.integers(concepts, size=size)
        objects = (concepts * draw.random(size) ** 2.5).astype(np.int64)
        relations, first = draw.integers((len(RELATIONS), len(books)), size=(size, 2)).T
        drawn = np.stack((subjects, relations, objects, first), axis=1)
        for s, r, o, b in drawn.tolist():
            low, high = sorted((s, o))
            if low == high:
                continue
            evidence = (books[b],)
            if r == 0:
                mined = Evidence(f"table {b % 4}", f"data:D{b % 4}", "mined", f"D{b % 4}",
                                 weight=(b + 1) / 50, count=b)  # fmt: skip
                evidence = (books[b], mined)
            key = (low, r, high) if r == 0 else (high, r, low)
            ends = nodes[key[0]].id, RELATIONS[r], nodes[key[2]].id
            found.setdefault(key, Edge(*ends, evidence))
    return KnowledgeGraph(nodes, tuple(found.values()), name=f"made up, {concepts} concepts")
