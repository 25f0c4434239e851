"""KnowledgeGraph: one content has one order and one fingerprint; terms resolve; ends are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

SAID = (Evidence("a book", "curated", "asserted"),)


def test_fingerprint_does_not_depend_on_input_order(tiny):
    turned = KnowledgeGraph(tiny.concepts[::-1], tiny.edges[::-1], tiny.label_sets)
    assert turned.fingerprint == tiny.fingerprint
    assert turned.concepts == tiny.concepts


def test_fingerprint_sees_evidence_but_not_the_name(tiny):
    assert replace(tiny, name="other").fingerprint == tiny.fingerprint
    first, *rest = tiny.edges
    item = replace(first.evidence[0], licence="MIT")
    assert tiny.with_edges([replace(first, evidence=(item,)), *rest]).fingerprint != (
        tiny.fingerprint
    )


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("ckg:pneumonia", "ckg:pneumonia"),
        ("pneumonia", "ckg:pneumonia"),
        ("Edema", "ckg:pulmonary_edema"),
        ("novel coronavirus pneumonia", "ckg:covid_19"),
        ("consolidation", "ckg:consolidation"),
        ("adenopathy", "ckg:lymphadenopathy"),
        ("linear atelectasis", "ckg:linear_atelectasis"),
        ("POCUS", "ckg:lung_ultrasound"),
    ],
)
def test_terms_resolve_by_id_label_and_synonym(shipped, term, found):
    assert shipped.resolve(term).id == found


def test_an_ambiguous_term_lists_its_candidates(tiny):
    with pytest.raises(InputError, match="more than one concept") as error:
        tiny.resolve("density")
    assert "ckg:consolidation (consolidation)" in error.value.hint
    assert "ckg:opacity" in error.value.hint


def test_an_unknown_term_names_the_closest(shipped):
    with pytest.raises(InputError, match="'pneumonai'") as error:
        shipped.resolve("pneumonai")
    assert "pneumonia" in error.value.hint


def test_ancestors_are_by_entailment_alone(shipped):
    assert shipped.ancestors("ckg:covid_19_pneumonia") == (
        "ckg:covid_19",
        "ckg:viral_pneumonia",
        "ckg:coronavirus_infectious_disease",
        "ckg:pneumonia",
        "ckg:lung_disease",
        "ckg:lower_respiratory_tract_disease",
        "ckg:respiratory_system_disease",
    )
    assert "ckg:consolidation" not in shipped.ancestors("ckg:pneumonia")
    assert "ckg:viral_pneumonia" not in shipped.ancestors("ckg:covid_19")
    assert "ckg:lung_opacity" in shipped.ancestors("ckg:consolidation")
    assert "ckg:lobar_consolidation" in shipped.descendants("ckg:lung_opacity")


def test_ancestors_along_other_relations(shipped):
    assert shipped.ancestors("ckg:right_lower_lobe", ("part_of",))[0] == "ckg:lower_lobe"
    assert "ckg:thorax" in shipped.ancestors("ckg:hilum", ("is_a", "part_of"))
    assert "ckg:thorax" not in shipped.ancestors("ckg:hilum")


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ((Edge("a", "is_a", "b", ()),), "no evidence"),
        ((Edge("a", "is_a", "c", SAID),), "no concept c"),
        ((Edge("a", "is_an", "b", SAID),), "unknown relation"),
        ((Edge("a", "is_a", "b", SAID), Edge("a", "is_a", "b", SAID)), "there twice"),
    ],
)
def test_a_graph_refuses_bad_edges(edges, message):
    concepts = (Concept("a", "a", "finding"), Concept("b", "b", "finding"))
    with pytest.raises(InputError, match=message):
        KnowledgeGraph(concepts, edges)


def test_a_graph_refuses_two_concepts_with_one_id():
    with pytest.raises(InputError, match="two concepts have the id a"):
        KnowledgeGraph((Concept("a", "a", "finding"), Concept("a", "b", "finding")), ())
