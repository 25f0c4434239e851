"""Typed paths between two concepts, each step with its edges and their evidence."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from kg.model.edges import RELATIONS, Edge
from kg.model.graph import KnowledgeGraph

CANDIDATES = 20_000
"""Largest number of paths of one length that are compared; hubs can have more than memory holds."""

DENIALS = ("evidence_against", "disjoint_with")
"""Relations that hold two concepts apart: a path over them is no reason to connect its ends."""


class Step(NamedTuple):
    """One step of a path: from a concept to the next, by one or more edges."""

    start: str
    end: str
    edges: tuple[Edge, ...]

    @property
    def denies(self) -> bool:
        """True if every edge holds the two concepts apart."""
        return all(edge.relation in DENIALS for edge in self.edges)


class Path(NamedTuple):
    """A path; `steps` is empty from a concept to itself."""

    start: str
    end: str
    steps: tuple[Step, ...]

    @property
    def denies(self) -> bool:
        """True if one of its steps holds two concepts apart."""
        return any(step.denies for step in self.steps)


@dataclass(frozen=True, slots=True)
class Route:
    """Constraints on paths.

    Args:
        relations: Relations that may be used; all clinical ones where empty.
        longest: Largest number of steps.
        limit: Largest number of paths.
        directed: True if edges are followed from subject to object only (symmetric ones both ways).
        excluded: Relations that may not be used.
    """

    relations: tuple[str, ...] = ()
    longest: int = 4
    limit: int = 5
    directed: bool = False
    excluded: tuple[str, ...] = ()

    def allows(self, edge: Edge, here: str) -> bool:
        """True if an edge may be followed from the concept `here`."""
        if edge.relation in self.excluded:
            return False
        relation = RELATIONS[edge.relation]
        allowed = edge.relation in self.relations if self.relations else not relation.bookkeeping
        return allowed and (not self.directed or relation.symmetric or edge.subject == here)


def paths(graph: KnowledgeGraph, start: str, goal: str, route: Route) -> list[Path]:
    """The shortest simple paths, of equal ones first those by concepts with few neighbours.

    A path through a concept with a thousand neighbours says little, one through a rare one much.
    Paths with a step that denies (`DENIALS`) come last, and leave room for one that does not.

    Args:
        graph: The graph.
        start: Id of the first concept.
        goal: Id of the last.
        route: Constraints on the paths.
    """
    if start == goal:
        return [Path(start, goal, ())]
    found = _shortest(graph, start, goal, route)
    if found and all(path.denies for path in found):
        affirming = replace(route, limit=1, excluded=(*route.excluded, *DENIALS))
        found = [*_shortest(graph, start, goal, affirming), *found][: route.limit]
    return sorted(found, key=lambda path: path.denies)


def _shortest(graph: KnowledgeGraph, start: str, goal: str, route: Route) -> list[Path]:
    """The shortest simple paths, shortest first."""
    distance = _distances(graph, goal, route)
    if start not in distance:
        return []
    found: list[tuple[str, ...]] = []
    for length in range(distance[start], route.longest + 1):
        several = []
        for walk in _walks(graph, start, goal, length, distance, route):
            several.append(walk)
            if len(several) == CANDIDATES:
                break
        several.sort(key=lambda walk: (_commonness(graph, walk), walk))
        found += several[: route.limit - len(found)]
        if len(found) >= route.limit:
            break
    return [_path(graph, walk, route) for walk in found]


def _distances(graph: KnowledgeGraph, goal: str, route: Route) -> dict[str, int]:
    """Steps from each concept to the goal, up to the longest allowed."""
    distance, queue = {goal: 0}, deque([goal])
    while queue:
        here = queue.popleft()
        if distance[here] == route.longest:
            break
        for edge in graph.edges_of(here):
            other = edge.object if edge.subject == here else edge.subject
            if other not in distance and route.allows(edge, other):
                distance[other] = distance[here] + 1
                queue.append(other)
    return distance


def _walks(
    graph: KnowledgeGraph, start: str, goal: str, length: int,
    distance: dict[str, int], route: Route,
) -> Iterator[tuple[str, ...]]:  # fmt: skip
    """Every simple path of exactly `length` steps, never stepping where the goal is too far."""
    stack: list[tuple[str, ...]] = [(start,)]
    while stack:
        walk = stack.pop()
        here, left = walk[-1], length - len(walk) + 1
        if left == 0:
            yield walk
            continue
        others = {
            edge.object if edge.subject == here else edge.subject
            for edge in graph.edges_of(here)
            if route.allows(edge, here)
        }
        for other in sorted(others, reverse=True):
            far = distance.get(other, length + 1)
            # The goal ends a path and is not passed through.
            if other not in walk and far <= left - 1 and (other != goal or left == 1):
                stack.append((*walk, other))


def _commonness(graph: KnowledgeGraph, walk: tuple[str, ...]) -> float:
    """Number of neighbours of the concepts between the ends."""
    return sum(math.log(1 + len(graph.edges_of(concept))) for concept in walk[1:-1])


def _path(graph: KnowledgeGraph, walk: tuple[str, ...], route: Route) -> Path:
    steps = []
    for here, after in zip(walk, walk[1:], strict=False):
        between = [
            edge
            for edge in graph.edges_of(here)
            if after in (edge.subject, edge.object) and route.allows(edge, here)
        ]
        between.sort(key=lambda edge: edge.relation in DENIALS)
        steps.append(Step(here, after, tuple(between)))
    return Path(walk[0], walk[-1], tuple(steps))
