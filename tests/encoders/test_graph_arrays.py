"""Edges and memory of a small graph, counted by hand."""

from __future__ import annotations

import pytest
import torch

from encoders.graph_arrays import (
    ANCESTOR,
    ITSELF,
    KINDS,
    NEAR,
    NEIGHBOUR_KINDS,
    graph_tensors,
    neighbourhoods,
)
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph


def edge(subject, relation, obj, weight=None):
    item = Evidence(source="test", tag="curated", status="asserted", weight=weight)
    return Edge(subject, relation, obj, (item,))


@pytest.fixture(scope="module")
def graph():
    concepts = tuple(Concept(name, name, "finding") for name in "abcdefs")
    edges = (
        edge("a", "is_a", "b"),
        edge("b", "is_a", "c"),
        edge("a", "co_occurs_with", "d", 0.5),
        edge("d", "suggestive_of", "e", 0.5),
        edge("a", "located_in", "e", 0.2),
        edge("a", "member_of", "s"),
    )
    return KnowledgeGraph(concepts, edges)


def test_every_edge_both_ways_and_no_bookkeeping(graph):
    edges, kinds, weights, count = graph_tensors(graph)
    assert count == len(KINDS)
    named = {
        ("abcdefs"[subject], KINDS[kind], "abcdefs"[obj]): round(weight, 3)
        for subject, obj, kind, weight in zip(
            *edges.tolist(), kinds.tolist(), weights.tolist(), strict=True
        )
    }
    assert named == {
        ("a", "is_a", "b"): 1,
        ("b", "inverse of is_a", "a"): 1,
        ("b", "is_a", "c"): 1,
        ("c", "inverse of is_a", "b"): 1,
        ("a", "co_occurs_with", "d"): 0.5,
        ("d", "co_occurs_with", "a"): 0.5,
        ("d", "suggestive_of", "e"): 0.5,
        ("e", "inverse of suggestive_of", "d"): 0.5,
        ("a", "located_in", "e"): 0.2,
        ("e", "inverse of located_in", "a"): 0.2,
    }
    assert not any("member_of" in kind for kind in KINDS)


def test_kinds_do_not_depend_on_the_graph(graph):
    empty = graph.with_edges(())
    edges, kinds, weights, count = graph_tensors(empty)
    assert edges.shape == (2, 0)
    assert kinds.shape == weights.shape == (0,)
    assert count == graph_tensors(graph)[3]


def test_memory_in_order(graph):
    found = neighbourhoods(graph, ["a", "f"], 6)
    index = {name: place for place, name in enumerate("abcdefs")}
    assert found.index[0].tolist() == [index[name] for name in "abdec"] + [0]
    assert found.kind[0, :5].tolist() == [
        ITSELF,
        KINDS.index("inverse of is_a"),
        KINDS.index("co_occurs_with"),
        KINDS.index("inverse of located_in"),
        ANCESTOR,
    ]
    torch.testing.assert_close(found.weight[0], torch.tensor([1, 1, 0.5, 0.2, 1, 0]))
    assert found.mask[0].tolist() == [True] * 5 + [False]
    assert found.index[1].tolist() == [index["f"], 0, 0, 0, 0, 0]
    assert found.mask[1].tolist() == [True] + [False] * 5
    assert int(found.kind.max()) < NEIGHBOUR_KINDS


def test_two_steps_fill_what_is_left(graph):
    found = neighbourhoods(graph, ["d"], 6)
    names = ["abcdefs"[place] for place in found.index[0][found.mask[0]].tolist()]
    assert names == ["d", "e", "a", "b"]
    assert found.kind[0, 3] == NEAR
    assert found.weight[0, 3] == pytest.approx(0.5)
    assert neighbourhoods(graph, ["d"], 2).index.shape == (1, 2)


def test_memory_is_the_same_for_a_finding_alone(graph):
    together, alone = neighbourhoods(graph, ["a", "d"], 5), neighbourhoods(graph, ["d"], 5)
    assert torch.equal(together.index[1], alone.index[0])
    assert torch.equal(together.kind[1], alone.kind[0])
    with pytest.raises(InputError, match="no concept z"):
        neighbourhoods(graph, ["z"], 5)
