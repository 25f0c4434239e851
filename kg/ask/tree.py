"""The neighbourhood of a concept as a tree: relation by relation, strongest evidence first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kg.model.edges import RELATIONS, Edge
from kg.model.graph import KnowledgeGraph


@dataclass(frozen=True, slots=True)
class Branch:
    """One neighbour in the tree.

    Args:
        relation: The relation that leads to it.
        forward: True if it is the edge's object, or the relation has no direction.
        concept: Id of the neighbour.
        edge: The edge that leads to it, with its evidence.
        branches: Neighbours beyond it.
    """

    relation: str
    forward: bool
    concept: str
    edge: Edge
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Extent of a neighbourhood.

    Args:
        depth: Steps away from the concept.
        relations: Relations to follow; all clinical ones where empty.
        limit: Largest number of neighbours of a concept by relation and direction; 0 for all.
    """

    depth: int = 1
    relations: tuple[str, ...] = ()
    limit: int = 0

    def follows(self, relation: str) -> bool:
        """True if edges of a relation are followed."""
        if self.relations:
            return relation in self.relations
        return not RELATIONS[relation].bookkeeping


def tree(graph: KnowledgeGraph, concept: str, scope: Scope) -> tuple[Branch, ...]:
    """The neighbours of a concept, and theirs, each concept once and at its shortest distance."""
    levels = list(_levels(graph, concept, scope))
    below: dict[str, list[Branch]] = {}
    for level in reversed(levels):
        above: dict[str, list[Branch]] = defaultdict(list)
        for start, branch in level:
            beyond = tuple(below.pop(branch.concept, ()))
            above[start].append(
                Branch(branch.relation, branch.forward, branch.concept, branch.edge, beyond)
            )
        below = above
    return tuple(below.get(concept, ()))


def reached(graph: KnowledgeGraph, concept: str, scope: Scope) -> set[str]:
    """Ids of the concepts in a neighbourhood, with the concept itself."""
    found = {branch.concept for level in _levels(graph, concept, scope) for _, branch in level}
    return found | {concept}


def hidden(graph: KnowledgeGraph, concept: str, scope: Scope) -> int:
    """Number of direct neighbours beyond the limit."""
    everything = Scope(1, scope.relations)
    shown = sum(1 for _ in _steps(graph, concept, scope, ()))
    return sum(1 for _ in _steps(graph, concept, everything, ())) - shown


def _levels(
    graph: KnowledgeGraph, concept: str, scope: Scope
) -> Iterator[list[tuple[str, Branch]]]:
    """Neighbours at each distance, as pairs of the concept before and the branch."""
    seen, edge_of_sight = {concept}, [concept]
    for _ in range(scope.depth):
        level = []
        for here in edge_of_sight:
            found = list(_steps(graph, here, scope, seen))
            level += [(here, branch) for branch in found]
            seen |= {branch.concept for branch in found}
        if not level:
            return
        yield level
        edge_of_sight = list(dict.fromkeys(branch.concept for _, branch in level))


def _steps(
    graph: KnowledgeGraph, here: str, scope: Scope, seen: Collection[str]
) -> Iterator[Branch]:
    groups: dict[tuple[str, bool], list[tuple[str, Edge]]] = defaultdict(list)
    for edge in graph.edges_of(here):
        if scope.follows(edge.relation):
            forward = edge.subject == here or RELATIONS[edge.relation].symmetric
            other = edge.object if edge.subject == here else edge.subject
            if other not in seen and other != here:
                groups[edge.relation, forward].append((other, edge))
    for (relation, forward), found in sorted(groups.items(), key=lambda g: (g[0][0], not g[0][1])):
        found.sort(key=lambda one: (-len(one[1].evidence), graph.concept(one[0]).label.casefold()))
        for other, edge in found[: scope.limit or None]:
            yield Branch(relation, forward, other, edge)
