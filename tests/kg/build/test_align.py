"""Alignment joins what is one thing, keeps apart what may not be, and lists every doubt."""

from __future__ import annotations

import pytest

from kg.build.align import align, normal_name
from kg.build.merge import merge
from kg.model.concepts import Concept
from kg.model.curies import curie, normal_curie
from kg.model.edges import Edge, Evidence
from kg.model.graph import LabelSet
from kg.sources import Facts

SAID = (Evidence("a book", "curated", "asserted"),)
KNOWN = Facts(
    [
        Concept("ckg:effusion", "Pleural Effusion", "finding", ("pleural fluid",), ("HP:2202",)),
        Concept("ckg:cough", "Cough", "symptom", xrefs=("HP:12735", "UMLS:C1")),
        Concept("ckg:heart", "heart", "anatomy", xrefs=("RADLEX:RID1385",)),
        Concept("ckg:twin_a", "Twin", "finding"),
        Concept("ckg:twin_b", "twin", "disease"),
    ]
)


def joined(*concepts: Concept, by=("xref", "label")):
    result = align(KNOWN, Facts(concepts), by)
    return (
        [concept.id for concept in result.facts.concepts],
        [conflict.kind for conflict in result.facts.conflicts],
    )


@pytest.mark.parametrize(
    ("concept", "target", "conflicts"),
    [
        (Concept("X:1", "pleural-effusion", "disease"), "ckg:effusion", []),
        (Concept("X:1", "Effusion of pleura", "finding", xrefs=("HP:2202",)), "ckg:effusion",
         ["joined_by_xref_alone"]),
        (Concept("X:1", "fluid", "finding", ("pleural fluid",), ("HP:2202",)), "ckg:effusion", []),
        (Concept("HP:12735", "Cough", "term"), "ckg:cough", []),
        # A cross-reference to an organ is not the finding at the organ.
        (Concept("X:1", "heart rotation", "term", xrefs=("RADLEX:RID1385",)), "X:1",
         ["xref_without_name"]),
        (Concept("X:1", "large heart", "finding", xrefs=("RADLEX:RID1385",)), "X:1",
         ["other_kind"]),
        (Concept("X:1", "heart", "finding"), "X:1", ["other_kind"]),
        (Concept("X:1", "cough", "symptom", xrefs=("HP:2202",)), "X:1", ["xref_label_clash"]),
        (Concept("X:1", "TWIN", "finding"), "X:1", ["ambiguous"]),
        (Concept("X:1", "something new", "finding"), "X:1", []),
        (Concept("X:1", "pleural fluid", "finding"), "X:1", []),
    ],
)  # fmt: skip
def test_what_is_joined_and_what_is_kept_apart(concept, target, conflicts):
    assert joined(concept) == ([target], conflicts)


def test_synonyms_join_only_when_asked():
    fluid = Concept("X:1", "pleural fluid", "finding")
    assert joined(fluid, by=("synonym",)) == (["ckg:effusion"], [])
    cough = Concept("HP:12735", "Cough", "symptom")
    assert joined(cough, by=()) == (["HP:12735"], [])


def test_two_new_concepts_do_not_both_become_one():
    first, second = Concept("X:1", "Cough", "symptom"), Concept("X:2", "cough", "symptom")
    assert joined(first, second) == (["ckg:cough", "X:2"], ["two_to_one"])


def test_edges_and_label_sets_follow_the_join():
    new = Facts(
        [Concept("X:1", "Cough", "symptom"), Concept("X:2", "dry cough", "symptom")],
        [Edge("X:2", "is_a", "X:1", SAID), Edge("X:1", "exact_match", "ckg:cough", SAID)],
        [LabelSet("s", "X:2", ("X:1",), ("cough",), no_finding="X:1")],
    )
    result = align(KNOWN, new)
    assert [edge.key[:3] for edge in result.facts.edges] == [("X:2", "is_a", "ckg:cough")]
    assert result.facts.dropped == {"edge whose ends are one concept here": 1}
    assert result.facts.label_sets[0].findings == ("ckg:cough",)
    merged = merge((KNOWN, result.facts))
    (cough,) = [concept for concept in merged.concepts if concept.id == "ckg:cough"]
    assert cough.xrefs == ("HP:12735", "UMLS:C1", "X:1")


def test_an_unsaid_kind_yields_to_a_said_one():
    one, two = Concept("X:1", "A", "term"), Concept("X:1", "A", "disease")
    for parts in ((one, two), (two, one)):
        merged = merge([Facts([part]) for part in parts])
        assert [concept.kind for concept in merged.concepts] == ["disease"]
        assert merged.conflicts == []


def test_names_and_identifiers_are_normalised():
    assert normal_name("  Échinococcus—granulosus, (LUNG) ") == "echinococcus granulosus lung"
    assert normal_curie("UMLS_CUI:C0032227") == "UMLS:C0032227"
    assert normal_curie("SNOMEDCT_US_2023_03_01:123") == "SNOMEDCT:123"
    assert normal_curie("http://purl.obolibrary.org/obo/HP_0002202") == "HP:0002202"
    assert curie("http://purl.obolibrary.org/obo/NCBITaxon_2697049") == "NCBITaxon:2697049"
    assert curie("https://example.org/x#y") == "https://example.org/x#y"
