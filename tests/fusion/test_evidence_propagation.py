"""Evidence is carried along edges, as far as it says, and each kind carries by its own weight."""

from __future__ import annotations

import pytest
import torch

from encoders.graph_arrays import KINDS
from fusion.evidence_propagation import GAIN, START, EvidencePropagation
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

BOOK = (Evidence("a textbook", "curated", "asserted"),)
SIGN, ILL, WELL, FAR = range(4)


@pytest.fixture
def graph() -> KnowledgeGraph:
    names = ("sign", "ill", "well", "far")
    concepts = tuple(Concept(f"ckg:{name}", name, "finding") for name in names)
    edges = (
        Edge("ckg:sign", "suggestive_of", "ckg:ill", BOOK),
        Edge("ckg:ill", "disjoint_with", "ckg:well", BOOK),
        Edge("ckg:far", "is_a", "ckg:ill", BOOK),
    )
    return KnowledgeGraph(concepts, edges)


def test_by_hand(graph: KnowledgeGraph) -> None:
    order = [graph.index[f"ckg:{name}"] for name in ("sign", "ill", "well", "far")]
    stated = torch.zeros(2, 4)
    stated[0, order[SIGN]], stated[1, order[SIGN]] = 1.0, -1.0
    found = EvidencePropagation(graph, 2)(stated, torch.zeros(2, 4))[:, order] / GAIN
    # `ill` has three edges, the others one: each edge is carried by 1 / sqrt(3)
    step = START / 3**0.5
    assert found[0].tolist() == pytest.approx([1 + step**2, step, -(step**2), step**2], abs=1e-6)
    assert torch.allclose(found[1], -found[0])


def test_an_edge_that_is_not_there_carries_nothing(graph: KnowledgeGraph) -> None:
    spread, stated = EvidencePropagation(graph, 2), torch.eye(4)
    nothing = torch.zeros(4, 4)
    ends = spread.ends.T.tolist()
    sign, ill = graph.index["ckg:sign"], graph.index["ckg:ill"]
    kept = torch.tensor([float({sign, ill} != set(pair)) for pair in ends])
    found = spread(stated, nothing, kept) / GAIN
    assert found[sign].tolist() == stated[sign].tolist()
    # half an edge carries half as much
    whole, half = spread(stated, nothing), spread(stated, nothing, 1 - (1 - kept) / 2)
    assert half[sign, ill].item() == pytest.approx(whole[sign, ill].item() / 2)
    assert torch.equal(spread(stated, nothing, torch.ones(len(ends))), whole)


def test_no_step_leaves_evidence_where_it_is(graph: KnowledgeGraph) -> None:
    stated = torch.tensor([[1.0, 0.0, -1.0, 0.5]])
    assert torch.allclose(EvidencePropagation(graph, 0)(stated, torch.zeros(1, 4)), GAIN * stated)


def test_statements_and_what_is_seen_have_gains_of_their_own(graph: KnowledgeGraph) -> None:
    spread = EvidencePropagation(graph, 1)
    with torch.no_grad():
        spread.gain.copy_(torch.tensor([0.0, 0.0, 2.0]))
    something = torch.rand(1, 4)
    assert torch.count_nonzero(spread(something, torch.zeros(1, 4))) == 0
    assert (spread(torch.zeros(1, 4), something) != 0).any()


def test_each_kind_learns_what_it_carries(graph: KnowledgeGraph) -> None:
    spread = EvidencePropagation(graph, 2)
    spread(torch.eye(4), torch.zeros(4, 4)).sum().backward()
    used = {KINDS[place] for place in spread.carried.grad.nonzero().flatten().tolist()}
    assert used == {
        *("suggestive_of", "inverse of suggestive_of", "disjoint_with"),
        *("is_a", "inverse of is_a"),
    }
