"""Distance in a graph, counted by hand."""

from __future__ import annotations

import math

import pytest

from kg.ask.distance import distances
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph


def edge(subject: str, relation: str, obj: str, weight: float | None = None) -> Edge:
    return Edge(subject, relation, obj, (Evidence("made up", "test", "asserted", weight=weight),))


GRAPH = KnowledgeGraph(
    tuple(Concept(name, name, "finding") for name in "abcdefg"),
    (
        edge("a", "co_occurs_with", "b", 0.25),  # 4
        edge("c", "has_phenotype", "a", 0.5),  # 2
        edge("c", "has_phenotype", "b"),  # 1
        edge("a", "disjoint_with", "d"),
        edge("d", "seen_on_modality", "e"),
        edge("a", "seen_on_modality", "e"),
        edge("d", "is_a", "b", 0.1),  # 10
        edge("f", "is_a", "c"),
        edge("c", "suggestive_of", "f", 0.2),  # the stronger of two edges counts
    ),
)


def distance(graph: KnowledgeGraph, start: str, goals: list[str]) -> float:
    (found,) = distances(graph, [start], goals)
    return found


def test_the_cheapest_path_wins_whatever_its_direction() -> None:
    assert distance(GRAPH, "a", ["b"]) == 3  # by c, not along the weak edge
    assert distance(GRAPH, "a", ["f"]) == 3
    assert distance(GRAPH, "a", ["b", "c"]) == 2
    assert distance(GRAPH, "a", ["a", "b"]) == 0


def test_hubs_and_what_excludes_each_other_bring_nothing_near() -> None:
    assert distance(GRAPH, "a", ["d"]) == pytest.approx(13)
    assert distance(GRAPH, "a", ["e"]) == math.inf
    assert distance(GRAPH, "g", ["a"]) == math.inf
    assert distance(GRAPH, "nowhere", ["a"]) == math.inf
    assert distance(GRAPH, "a", []) == math.inf


def test_several_are_measured_at_once() -> None:
    assert distances(GRAPH, ["a", "nowhere", "c"], ["b"]) == [3, math.inf, 1]
