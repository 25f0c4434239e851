"""What labels entail and exclude, on a graph of a few concepts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fusion.label_ontology import entailed, excluded, shuffled_pairs
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

SAID = (Evidence("a book", "curated", "asserted"),)
EDGES = (
    ("lobar", "is_a", "pneumonia"),
    ("pneumonia", "is_a", "opacity"),
    ("lobe", "part_of", "lung"),
    ("lung", "part_of", "thorax"),
    ("solid", "disjoint_with", "hollow"),
    ("nodule", "is_a", "solid"),
    ("cyst", "is_a", "hollow"),
    ("opacity", "co_occurs_with", "cyst"),
)
NAMES = sorted({end for edge in EDGES for end in (edge[0], edge[2])} | {"none", "pacemaker"})


def graph(**sets: object) -> KnowledgeGraph:
    label_set = LabelSet("s", "lung", ("lobe",), ("lobe",), **sets)  # type: ignore[arg-type]
    return KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in NAMES),
        tuple(Edge(subject, relation, there, SAID) for subject, relation, there in EDGES),
        (label_set,),
    )


def pairs(matrix: torch.Tensor, labels: tuple[str, ...]) -> set[tuple[str, str]]:
    assert matrix.shape == (len(labels), len(labels))
    assert matrix.dtype == torch.bool
    return {(labels[row], labels[column]) for row, column in matrix.nonzero().tolist()}


@pytest.mark.parametrize(
    ("along", "more"),
    [
        ((), set()),
        # what lies between two labels need not be a label itself
        (("is_a",), {("lobar", "opacity")}),
        (("part_of",), {("lobe", "thorax")}),
        (("is_a", "part_of"), {("lobar", "opacity"), ("lobe", "thorax")}),
    ],
)
def test_a_label_entails_itself_and_what_is_wider(along: tuple[str, ...], more: set) -> None:
    labels = ("thorax", "lobar", "lobe", "opacity", "cyst")
    found = pairs(entailed(graph(), labels, along), labels)
    assert found == {(label, label) for label in labels} | more


def test_exclusion_is_inherited_by_kinds_alone_and_goes_both_ways() -> None:
    labels = ("cyst", "nodule", "solid", "opacity", "lobe")
    found = pairs(excluded(graph(), labels), labels)
    assert found == {(a, b) for a, b in [("cyst", "nodule"), ("cyst", "solid")]} | {
        ("nodule", "cyst"),
        ("solid", "cyst"),
    }


def test_no_finding_excludes_all_but_what_may_stand_beside_it() -> None:
    labels = ("lobe", "none", "pacemaker")
    given = graph(no_finding="none", with_no_finding=("pacemaker",))
    assert pairs(excluded(given, labels), labels) == {("none", "lobe"), ("lobe", "none")}
    assert not excluded(graph(), labels).any()


@pytest.mark.parametrize("symmetric", [False, True])
def test_shuffled_pairs_are_as_many_for_every_label(symmetric: bool) -> None:
    pairs = torch.rand(30, 30, generator=torch.Generator().manual_seed(5)) > 0.9
    pairs = (pairs | pairs.T if symmetric else pairs).fill_diagonal_(not symmetric)
    draws = [
        shuffled_pairs(pairs, np.random.default_rng(seed), symmetric=symmetric) for seed in (0, 1)
    ]
    for made in draws:
        assert torch.equal(made.diagonal(), pairs.diagonal())
        assert (made & ~pairs).sum() > 20
        assert torch.equal(made, made.T) == symmetric
        assert torch.equal(made.sum(0), pairs.sum(0))
        assert torch.equal(made.sum(1), pairs.sum(1))
    assert not torch.equal(*draws)
