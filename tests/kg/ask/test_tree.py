"""Neighbourhoods: each concept once, at its shortest distance, and nothing hidden in silence."""

from __future__ import annotations

import pytest

from kg.ask.tree import Scope, hidden, reached, tree
from kg.errors import InputError
from kg.model.edges import RELATIONS, Edge, known_relation


def test_a_tree_shows_each_concept_once_at_its_shortest_distance(tiny):
    branches = tree(tiny, "ckg:consolidation", Scope(depth=3))
    near = [(b.relation, b.forward, b.concept) for b in branches]
    assert near == [
        ("co_occurs_with", True, "other vocabulary/7"),
        ("is_a", True, "ckg:opacity"),
        ("located_in", True, "ckg:lung"),
    ]
    beyond = {b.concept: [inner.concept for inner in b.branches] for b in branches}
    # The lung is beyond the opacity too, but nearer by its own edge; grouping is not bookkeeping.
    assert beyond == {
        "other vocabulary/7": ["ckg:mined"],
        "ckg:opacity": ["ckg:nothing"],
        "ckg:lung": [],
    }
    assert branches[0].edge.evidence[0].dataset == "NIH"


def test_relations_and_limits_narrow_it(tiny):
    scope = Scope(depth=2, relations=("is_a",))
    assert reached(tiny, "ckg:consolidation", scope) == {"ckg:consolidation", "ckg:opacity"}
    members = tree(tiny, "ckg:set", Scope(relations=("member_of",), limit=1))
    assert [(b.concept, b.forward) for b in members] == [("ckg:nothing", False)]
    assert hidden(tiny, "ckg:set", Scope(relations=("member_of",), limit=1)) == 1
    assert tree(tiny, "ckg:set", Scope()) == ()
    assert reached(tiny, "ckg:set", Scope(depth=0)) == {"ckg:set"}


def test_a_ring_ends(tiny):
    said = tiny.edges[0].evidence
    ring = [Edge("ckg:opacity", "part_of", "ckg:lung", said),
            Edge("ckg:lung", "part_of", "ckg:consolidation", said)]  # fmt: skip
    graph = tiny.with_edges([*tiny.edges, *ring])
    assert len(reached(graph, "ckg:lung", Scope(depth=6))) == 6


def test_relations_of_other_vocabularies_are_curies():
    assert known_relation("RO:0002200") == "has_phenotype"
    assert known_relation("x:treats") == "x:treats"
    assert not RELATIONS["x:treats"].symmetric
    assert "x:treats" not in RELATIONS
    with pytest.raises(InputError, match="has_phenotypes") as caught:
        known_relation("has_phenotypes")
    assert "has_phenotype" in caught.value.hint
    with pytest.raises(KeyError):
        RELATIONS["treats"]
