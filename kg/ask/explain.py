"""Explanation of an edge: its evidence, or the stated edges that it follows from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kg.model.edges import IS_A, RELATIONS, Edge
from kg.model.graph import KnowledgeGraph

SITES = ("located_in", "disease_has_location")
"""Relations to a site; a finding at a part is at the whole, a narrower finding need not be."""


@dataclass(frozen=True)
class Explanation:
    """Explanation of `subject relation object`, if it holds.

    Args:
        subject: Concept id.
        relation: Relation.
        object: Concept id.
        stated: The edges that state it, in either direction of a symmetric relation.
        follows: Where nothing states it, stated edges that it follows from.
        between: Other edges between the two concepts.
    """

    subject: str
    relation: str
    object: str
    stated: tuple[Edge, ...]
    follows: tuple[Edge, ...]
    between: tuple[Edge, ...]

    @property
    def holds(self) -> bool:
        """True if the graph states or entails it."""
        return bool(self.stated or self.follows)


def explain(graph: KnowledgeGraph, subject: str, relation: str, target: str) -> Explanation:
    """Explain an edge.

    Entailment is followed for `is_a` and `part_of` (both transitive), for sites (at a part is at
    the whole) and for `disjoint_with` (inherited by narrower concepts).
    """
    both = [e for e in graph.edges_of(subject) if target in (e.subject, e.object)]
    ends = [(subject, target)] + ([(target, subject)] if RELATIONS[relation].symmetric else [])
    stated = tuple(e for e in both if e.relation == relation and (e.subject, e.object) in ends)
    follows = () if stated else tuple(_derivation(graph, subject, relation, target))
    between = tuple(edge for edge in both if edge not in stated)
    return Explanation(subject, relation, target, stated, follows, between)


def _derivation(graph: KnowledgeGraph, subject: str, relation: str, target: str) -> Iterator[Edge]:
    if relation in (IS_A, "part_of"):
        climbed = _climb(graph, subject, (IS_A,) if relation == IS_A else (IS_A, "part_of"))
        route = climbed.get(target, ())
        if relation == IS_A or any(edge.relation == "part_of" for edge in route):
            yield from route
    elif relation in SITES:
        yield from _wider_site(graph, subject, target, relation)
    elif relation == "disjoint_with":
        yield from _apart(graph, subject, target)


def _climb(
    graph: KnowledgeGraph, start: str, relations: tuple[str, ...]
) -> dict[str, tuple[Edge, ...]]:
    """The edges that lead up from a concept to each one above it."""
    routes: dict[str, tuple[Edge, ...]] = {start: ()}
    queue = [start]
    for here in queue:
        for edge in graph.edges_of(here):
            if edge.subject == here and edge.relation in relations and edge.object not in routes:
                routes[edge.object] = (*routes[here], edge)
                queue.append(edge.object)
    return routes


def _wider_site(
    graph: KnowledgeGraph, subject: str, target: str, relation: str
) -> tuple[Edge, ...]:
    """A stated site and the way up from it to the target; the shortest such way."""
    found = [
        (edge, *up[target])
        for edge in graph.edges_of(subject, relation)
        if edge.subject == subject
        and target in (up := _climb(graph, edge.object, (IS_A, "part_of")))
    ]
    return min(found, key=_length_then_key, default=())


def _apart(graph: KnowledgeGraph, subject: str, target: str) -> tuple[Edge, ...]:
    """A stated disjointness of two ancestors."""
    left, right = _climb(graph, subject, (IS_A,)), _climb(graph, target, (IS_A,))
    found = [
        (*up, edge, *right[other])
        for above, up in left.items()
        for edge in graph.edges_of(above, "disjoint_with")
        if (other := edge.object if edge.subject == above else edge.subject) in right
    ]
    return min(found, key=_length_then_key, default=())


def _length_then_key(
    edges: tuple[Edge, ...],
) -> tuple[int, list[tuple[str, str, str, str]]]:
    return len(edges), [edge.key for edge in edges]
