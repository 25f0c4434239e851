"""Paths are the shortest and most telling; explanations follow only what is entailed."""

from __future__ import annotations

import pytest

from kg.ask.diff import difference
from kg.ask.explain import explain
from kg.ask.paths import Route, paths
from kg.controls.leave_out import leave_out
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

SAID = (Evidence("a book", "curated", "asserted"),)


def graph(text: str) -> KnowledgeGraph:
    """A graph of lines `a relation b`."""
    lines = [line.split() for line in text.strip().splitlines()]
    names = sorted({name for s, _, o in lines for name in (s, o)})
    concepts = tuple(Concept(name, name, "finding") for name in names)
    return KnowledgeGraph(concepts, tuple(Edge(s, r, o, SAID) for s, r, o in lines))


HUB = graph("""
a suggestive_of hub
hub suggestive_of z
a suggestive_of rare
z suggestive_of rare
x1 suggestive_of hub
x2 suggestive_of hub
a is_a step1
step1 is_a step2
step2 is_a z
a member_of set
z member_of set
""")


def walked(found):
    return [[path.start, *(step.end for step in path.steps)] for path in found]


def test_short_paths_come_first_and_rare_concepts_before_hubs():
    found = paths(HUB, "a", "z", Route())
    assert walked(found) == [["a", "rare", "z"], ["a", "hub", "z"], ["a", "step1", "step2", "z"]]
    assert [edge.key[:3] for edge in found[0].steps[1].edges] == [("z", "suggestive_of", "rare")]
    assert walked(paths(HUB, "a", "z", Route(limit=1))) == [["a", "rare", "z"]]


def test_paths_keep_to_relations_direction_and_length():
    assert walked(paths(HUB, "a", "z", Route(relations=("is_a",)))) == [
        ["a", "step1", "step2", "z"]
    ]
    assert paths(HUB, "a", "z", Route(relations=("is_a",), longest=2)) == []
    assert walked(paths(HUB, "a", "z", Route(directed=True))) == [
        ["a", "hub", "z"],
        ["a", "step1", "step2", "z"],
    ]
    assert paths(HUB, "z", "a", Route(directed=True)) == []
    assert walked(paths(HUB, "a", "z", Route(relations=("member_of",)))) == [["a", "set", "z"]]
    assert walked(paths(HUB, "a", "a", Route())) == [["a"]]


DENIED = graph("""
sign evidence_against illness
a_sign evidence_against illness
a_sign suggestive_of illness
sign co_occurs_with other
other suggestive_of illness
far is_a middle
middle is_a near
near has_phenotype sign
near disjoint_with illness
alone evidence_against illness
""")


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_step_that_denies_never_comes_first(limit):
    first, *more = walked(paths(DENIED, "sign", "illness", Route(limit=limit)))
    assert first == ["sign", "other", "illness"]
    assert (["sign", "illness"] in more) == (limit > 1)
    first, *more = walked(paths(DENIED, "far", "illness", Route(limit=limit, longest=5)))
    assert first == ["far", "middle", "near", "sign", "other", "illness"]
    assert (["far", "middle", "near", "illness"] in more) == (limit > 1)


def test_a_denial_is_shown_where_nothing_else_connects_and_beside_what_affirms():
    assert walked(paths(DENIED, "alone", "illness", Route(longest=1))) == [["alone", "illness"]]
    only = Route(relations=("evidence_against",), longest=1)
    assert walked(paths(DENIED, "sign", "illness", only)) == [["sign", "illness"]]
    (found,) = paths(DENIED, "a_sign", "illness", Route(longest=1))
    assert [edge.relation for edge in found.steps[0].edges] == ["suggestive_of", "evidence_against"]
    assert not found.denies


def test_every_path_is_in_the_graph(shipped):
    found = paths(shipped, "ckg:cystic_fibrosis", "ckg:right_upper_lobe", Route(limit=20))
    assert len(found) == 20
    edges = {edge.key for edge in shipped.edges}
    for one in found:
        concepts = [one.start, *(step.end for step in one.steps)]
        assert len(set(concepts)) == len(concepts)
        assert all(step.edges for step in one.steps)
        assert {edge.key for step in one.steps for edge in step.edges} <= edges
    assert [len(one.steps) for one in found] == sorted(len(one.steps) for one in found)


KIN = graph("""
lobar is_a pneumonia
pneumonia is_a disease
pneumonia located_in lobe
lobe part_of lung
lung part_of chest
healthy disjoint_with disease
lobar co_occurs_with fever
pneumonia suggestive_of fever
""")


@pytest.mark.parametrize(
    ("subject", "relation", "target", "follows"),
    [
        ("lobar", "is_a", "disease", ["lobar is_a pneumonia", "pneumonia is_a disease"]),
        ("lobe", "part_of", "chest", ["lobe part_of lung", "lung part_of chest"]),
        ("pneumonia", "located_in", "chest",
         ["pneumonia located_in lobe", "lobe part_of lung", "lung part_of chest"]),
        ("lobar", "disjoint_with", "healthy",
         ["lobar is_a pneumonia", "pneumonia is_a disease", "healthy disjoint_with disease"]),
        # What a wide finding is at, suggests or is seen with says nothing of a narrow one.
        ("lobar", "located_in", "lobe", []),
        ("lobar", "suggestive_of", "fever", []),
        ("disease", "is_a", "lobar", []),
        ("lobar", "part_of", "disease", []),
    ],
)  # fmt: skip
def test_only_entailment_is_followed(subject, relation, target, follows):
    found = explain(KIN, subject, relation, target)
    assert found.stated == ()
    assert [" ".join(edge.key[:3]) for edge in found.follows] == follows
    assert found.holds == bool(follows)


def test_what_is_stated_is_given_with_what_else_is_between():
    found = explain(KIN, "fever", "co_occurs_with", "lobar")
    assert [edge.subject for edge in found.stated] == ["lobar"]
    assert found.stated[0].evidence == SAID
    assert explain(KIN, "fever", "suggestive_of", "pneumonia").holds is False
    assert [e.relation for e in explain(KIN, "fever", "is_a", "pneumonia").between] == [
        "suggestive_of"
    ]


def test_differences_name_what_is_new_gone_and_changed(tiny):
    assert difference(tiny, tiny).is_empty
    without, _ = leave_out(tiny, ["OpenI"])
    found = difference(tiny, without)
    assert found.gone_concepts == ("ckg:mined",)
    assert found.new_concepts == found.new_edges == ()
    assert ("ckg:consolidation", "located_in", "ckg:lung", "") in found.gone_edges
    changed = {c.edge[:3]: (len(c.gone), len(c.new)) for c in found.changed_edges}
    assert changed["ckg:opacity", "located_in", "ckg:lung"] == (1, 0)
    assert ("ckg:opacity", "phrases") in [(c.of, c.field) for c in found.changed_concepts]
    back = difference(without, tiny)
    assert back.new_edges == found.gone_edges
    assert back.new_concepts == ("ckg:mined",)
    fewer = difference(tiny, KnowledgeGraph(tiny.concepts, tiny.edges, tiny.label_sets[:1]))
    assert [(c.of, c.before, c.after) for c in fewer.label_sets] == [("excl", "there", "not there")]
