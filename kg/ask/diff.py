"""Difference of two graphs: concepts, edges, evidence and label sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

from kg.model.concepts import Concept
from kg.model.edges import Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

Key = tuple[str, str, str, str]


class ChangedField(NamedTuple):
    """A field of a concept or label set that differs."""

    of: str
    field: str
    before: object
    after: object


class ChangedEdge(NamedTuple):
    """An edge whose evidence differs."""

    edge: Key
    gone: tuple[Evidence, ...]
    new: tuple[Evidence, ...]


@dataclass(frozen=True)
class Difference:
    """Difference of a graph before and after.

    Args:
        new_concepts: Ids of concepts that are only in the second.
        gone_concepts: Ids of concepts that are only in the first.
        changed_concepts: Fields that differ of concepts in both.
        new_edges: Edges that are only in the second.
        gone_edges: Edges that are only in the first.
        changed_edges: Edges in both with other evidence.
        label_sets: Label sets that are only in one, or fields of them that differ.
    """

    new_concepts: tuple[str, ...]
    gone_concepts: tuple[str, ...]
    changed_concepts: tuple[ChangedField, ...]
    new_edges: tuple[Key, ...]
    gone_edges: tuple[Key, ...]
    changed_edges: tuple[ChangedEdge, ...]
    label_sets: tuple[ChangedField, ...]

    @property
    def is_empty(self) -> bool:
        """True if both are the same graph."""
        return not any(getattr(self, field.name) for field in fields(self))


def difference(before: KnowledgeGraph, after: KnowledgeGraph) -> Difference:
    """Difference of two graphs, in a fixed order."""
    first, second = set(before.index), set(after.index)
    edges = {edge.key: edge for edge in before.edges}
    later = {edge.key: edge for edge in after.edges}
    return Difference(
        new_concepts=tuple(sorted(second - first)),
        gone_concepts=tuple(sorted(first - second)),
        changed_concepts=tuple(
            change
            for name in sorted(first & second)
            for change in _fields(name, before.concept(name), after.concept(name))
        ),
        new_edges=tuple(sorted(later.keys() - edges.keys())),
        gone_edges=tuple(sorted(edges.keys() - later.keys())),
        changed_edges=tuple(
            ChangedEdge(key, *_items(edges[key].evidence, later[key].evidence))
            for key in sorted(edges.keys() & later.keys())
            if set(edges[key].evidence) != set(later[key].evidence)
        ),
        label_sets=tuple(_label_sets(before, after)),
    )


def _items(
    before: tuple[Evidence, ...], after: tuple[Evidence, ...]
) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    gone = tuple(item for item in before if item not in after)
    return gone, tuple(item for item in after if item not in before)


def _fields(
    name: str, before: Concept | LabelSet, after: Concept | LabelSet
) -> Iterator[ChangedField]:
    for field in fields(before):
        one, two = getattr(before, field.name), getattr(after, field.name)
        if one != two:
            yield ChangedField(name, field.name, one, two)


def _label_sets(before: KnowledgeGraph, after: KnowledgeGraph) -> Iterator[ChangedField]:
    first = {one.name: one for one in before.label_sets}
    second = {one.name: one for one in after.label_sets}
    for name in sorted(first.keys() | second.keys()):
        if name in first and name in second:
            yield from _fields(name, first[name], second[name])
        else:
            there = (name in first, name in second)
            yield ChangedField(
                name, "label set", *("there" if one else "not there" for one in there)
            )
