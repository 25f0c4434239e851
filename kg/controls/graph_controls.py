"""Control graphs: shuffled, emptied, noisy, or without a source, relation or data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kg.errors import InputError, did_you_mean
from kg.model.edges import RELATIONS, Edge, Evidence
from kg.model.graph import KnowledgeGraph

SWAPS_PER_EDGE = 20
"""Attempted swaps for each edge; the graph is random well before that many."""

Ends = tuple[str, str]


class Shuffled(NamedTuple):
    """A shuffled graph and the share of its clinical edges that are not in the original."""

    graph: KnowledgeGraph
    changed: float


def shuffled(graph: KnowledgeGraph, generator: np.random.Generator) -> Shuffled:
    """Swap ends of edges within each relation.

    Every concept keeps its in- and out-degree in every relation (its degree, in a symmetric one),
    no edge becomes a loop or a double, and evidence stays with the edge's subject. Bookkeeping
    relations are not touched: they never reach a model.
    """
    groups: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        groups[edge.relation, edge.label_set or ""].append(edge)
    edges: list[Edge] = []
    clinical = changed = 0
    for (relation, _), group in sorted(groups.items()):
        if RELATIONS[relation].bookkeeping:
            edges += group
            continue
        symmetric = RELATIONS[relation].symmetric
        ends = swap_ends([(edge.subject, edge.object) for edge in group], symmetric, generator)
        before = {(edge.subject, edge.object) for edge in group}
        clinical += len(group)
        changed += sum(pair not in before for pair in ends)
        edges += [
            replace(edge, subject=subject, object=target)
            for edge, (subject, target) in zip(group, ends, strict=True)
        ]
    share = changed / clinical if clinical else 0.0
    return Shuffled(graph.with_edges(edges, name=f"{graph.name}, shuffled"), share)


def emptied(graph: KnowledgeGraph) -> KnowledgeGraph:
    """The same concepts and label sets with bookkeeping edges only."""
    kept = (edge for edge in graph.edges if RELATIONS[edge.relation].bookkeeping)
    return graph.with_edges(kept, name=f"{graph.name}, emptied")


def noise(graph: KnowledgeGraph, share: float, generator: np.random.Generator) -> KnowledgeGraph:
    """Replace the objects of a share of the clinical edges at random.

    Args:
        graph: The graph.
        share: Share of edges in [0, 1] that get another object, drawn from the objects of their
            relation; an edge for which none is free stays.
        generator: Source of the draws.

    Raises:
        InputError: If the share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of noise is {share}", "give a number from 0 to 1")
    edges = list(graph.edges)
    clinical = [p for p, edge in enumerate(edges) if not RELATIONS[edge.relation].bookkeeping]
    pools: dict[str, list[str]] = defaultdict(list)
    for place in clinical:
        pools[edges[place].relation].append(edges[place].object)
    keys = {_canonical(edge) for edge in edges}
    for place in generator.permutation(clinical)[: round(share * len(clinical))]:
        edge = edges[place]
        free = [
            candidate
            for target in dict.fromkeys(pools[edge.relation])
            if target != edge.subject
            and _canonical(candidate := replace(edge, object=target)) not in keys
        ]
        if free:
            edges[place] = free[int(generator.integers(len(free)))]
            keys.remove(_canonical(edge))
            keys.add(_canonical(edges[place]))
    return graph.with_edges(edges, name=f"{graph.name}, noise {share:g}")


def without_relation(graph: KnowledgeGraph, relation: str) -> KnowledgeGraph:
    """The graph without the edges of one relation.

    Raises:
        InputError: If the graph has no such relation.
    """
    if relation not in graph.relations:
        raise InputError(
            f"no relation {relation!r} in {graph.name}", did_you_mean(relation, graph.relations)
        )
    kept = (edge for edge in graph.edges if edge.relation != relation)
    return graph.with_edges(kept, name=f"{graph.name} without {relation}")


def without_source(graph: KnowledgeGraph, name: str) -> KnowledgeGraph:
    """The graph without the evidence whose source text contains `name`.

    Edges left without evidence go, and with them phrases and concepts known from that source
    alone, except concepts of a label set.

    Raises:
        InputError: If no source is called that.
    """
    sources = {item.source for edge in graph.edges for item in edge.evidence}
    sources |= {concept.source for concept in graph.concepts}
    if not any(name in source for source in sources):
        raise InputError(f"no source is called {name!r}", "see the sources in graph stats")
    return _without(
        graph,
        name=f"{graph.name} without {name}",
        evidence=lambda item: name in item.source,
        known_by=lambda source, _: all(name in one for one in source.split(" || ")),
    )


def without_evidence(graph: KnowledgeGraph, name: str) -> KnowledgeGraph:
    """The same concepts without the edges whose only evidence is from sources named `name`.

    A source is named so if its text contains `name`.

    Raises:
        InputError: If no edge is from such a source.
    """
    edges = []
    for edge in graph.edges:
        left = tuple(item for item in edge.evidence if name not in item.source)
        if left:
            edges.append(replace(edge, evidence=left))
    without = graph.with_edges(edges, name=f"{graph.name} without edges of {name}")
    if without.fingerprint == graph.fingerprint:
        raise InputError(f"no source is called {name!r}", "see the sources in graph stats")
    return without


def labels_only(graph: KnowledgeGraph) -> KnowledgeGraph:
    """The graph with each concept called by its preferred name alone: no lexicon (control)."""
    concepts = (replace(concept, synonyms=(), phrases=()) for concept in graph.concepts)
    return replace(graph, concepts=tuple(concepts), name=f"{graph.name}, labels only")


def without_dataset(graph: KnowledgeGraph, names: Iterable[str]) -> KnowledgeGraph:
    """The graph without everything mined from the data sets of these names.

    Their items of evidence go from every edge; an edge goes only when none is left, and its weight
    then comes from what is left. Phrases, synonyms and concepts mined from them go too, except
    concepts of a label set.

    Args:
        graph: The graph.
        names: Names as in evidence (`OpenI`, `OpenI-MeSH`); a name that occurs nowhere is fine.
    """
    gone = frozenset(names)
    return _without(
        graph,
        name=f"{graph.name} without {', '.join(sorted(gone))}" if gone else graph.name,
        evidence=lambda item: item.dataset in gone,
        known_by=lambda _, dataset: dataset in gone,
    )


def _without(
    graph: KnowledgeGraph,
    *,
    name: str,
    evidence: Callable[[Evidence], bool],
    known_by: Callable[[str, str | None], bool],
) -> KnowledgeGraph:
    """Remove the items that `evidence`, and the concepts and phrases that `known_by` selects."""
    labelled = {concept for one in graph.label_sets for concept in (one.concept, *one.findings)}
    concepts = []
    for concept in graph.concepts:
        if known_by(concept.known_from, concept.dataset) and concept.id not in labelled:
            continue
        if concept.definition and known_by(concept.definition_source, None):
            concept = replace(concept, definition="", source=concept.known_from)
        kept = tuple(p for p in concept.phrases if not known_by(p.source, p.dataset))
        lost = {p.text for p in concept.phrases} - {p.text for p in kept}
        synonyms = tuple(word for word in concept.synonyms if word.lower() not in lost)
        concepts.append(replace(concept, phrases=kept, synonyms=synonyms))
    there = {concept.id for concept in concepts}
    edges = []
    for edge in graph.edges:
        left = tuple(item for item in edge.evidence if not evidence(item))
        if left and edge.subject in there and edge.object in there:
            edges.append(replace(edge, evidence=left))
    return replace(graph, concepts=tuple(concepts), edges=tuple(edges), name=name)


def swap_ends(pairs: list[Ends], symmetric: bool, generator: np.random.Generator) -> list[Ends]:
    """Double-edge swaps that keep every degree; objects move, subjects stay."""

    def key(pair: Ends) -> Ends:
        return (min(pair), max(pair)) if symmetric else pair

    pairs = list(pairs)
    there = Counter(key(pair) for pair in pairs)
    if len(pairs) < 2:
        return pairs
    for first, second in generator.integers(len(pairs), size=(SWAPS_PER_EDGE * len(pairs), 2)):
        (a, b), (c, d) = pairs[first], pairs[second]
        if symmetric and generator.integers(2):
            # An edge without direction has two ends to swap with.
            c, d = d, c
        one, two = (a, d), (c, b)
        if a == d or c == b or first == second or there[key(one)] or there[key(two)]:
            continue
        there[key((a, b))] -= 1
        there[key((c, d))] -= 1
        there[key(one)] += 1
        there[key(two)] += 1
        pairs[first], pairs[second] = one, two
    return [key(pair) for pair in pairs]


def _canonical(edge: Edge) -> tuple[str, str, str, str]:
    if RELATIONS[edge.relation].symmetric and edge.object < edge.subject:
        return edge.object, edge.relation, edge.subject, edge.label_set or ""
    return edge.key
