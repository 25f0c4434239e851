"""The shipped graph has no error; each rule finds the fault it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kg.check.faults import at_least
from kg.check.validate import validate
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

SAID = (Evidence("a book", "curated", "asserted"),)


def rules(graph: KnowledgeGraph) -> set[str]:
    return {fault.rule for fault in validate(graph)}


def test_the_shipped_graph_has_no_error(shipped):
    faults = validate(shipped)
    assert [fault for fault in faults if fault.severity == "error"] == []
    # Identifiers that their own publishers give to two concepts.
    assert [f.rule for f in faults if f.severity == "warning"] == ["shared_xref"] * 20
    assert {f.rule for f in faults if f.severity == "info"} == {"no_licence"}


@pytest.mark.parametrize(
    ("edge", "rule"),
    [
        (Edge("ckg:opacity", "is_a", "ckg:opacity", SAID), "self_loop"),
        (Edge("ckg:opacity", "is_a", "ckg:consolidation", SAID), "is_a_cycle"),
        (Edge("ckg:consolidation", "disjoint_with", "ckg:opacity", SAID), "disjoint_kin"),
        (Edge("ckg:lung", "grouped_under", "ckg:set", SAID), "unknown_convention"),
        (Edge("ckg:lung", "is_a", "ckg:set", SAID, "small"), "is_a_with_label_set"),
        (Edge("ckg:opacity", "located_in", "ckg:consolidation", SAID), "range"),
        (Edge("ckg:opacity", "seen_on_modality", "ckg:lung", SAID), "range"),
        (Edge("ckg:lung", "located_in", "ckg:lung", SAID), "domain"),
        (Edge("ckg:consolidation", "member_of", "ckg:set", SAID), "label_set_incomplete"),
        (Edge("ckg:nothing", "disjoint_with", "ckg:opacity", SAID), "double_edge"),
        (Edge("ckg:lung", "part_of", "ckg:set", (Evidence("", "", "asserted"),)), "no_source"),
        (
            Edge("ckg:lung", "part_of", "ckg:set", (Evidence("a", "", "mined"),)),
            "mined_without_dataset",
        ),
    ],
)
def test_each_rule_finds_its_fault(tiny, edge, rule):
    assert rule not in rules(tiny)
    assert rule in rules(tiny.with_edges([*tiny.edges, edge]))


def test_no_finding_must_be_disjoint_with_its_set(tiny):
    kept = [edge for edge in tiny.edges if edge.relation != "disjoint_with"]
    faults = [f for f in validate(tiny.with_edges(kept)) if f.rule == "no_finding_not_disjoint"]
    assert [(f.severity, f.about) for f in faults] == [("error", "ckg:opacity")]


def test_label_sets_must_be_complete(tiny):
    small = replace(tiny.label_sets[0], columns=("O",), findings=("ckg:opacity", "ckg:gone"))
    faults = validate(replace(tiny, label_sets=(small, small)))
    messages = {fault.message for fault in faults if fault.about == "small"}
    assert "1 columns for 2 findings" in messages
    assert "ckg:gone is not in the graph" in messages
    assert "is declared twice" in messages


def test_names_are_unique_or_warned_of(tiny):
    faults = at_least(validate(tiny), "warning")
    assert [(f.rule, f.severity, f.about) for f in faults] == [
        ("shared_name", "warning", "density")
    ]
    shared = replace(tiny.concepts[0], xrefs=("HP:1",))
    faults = validate(replace(tiny, concepts=(shared, *tiny.concepts[1:])))
    assert ("shared_xref", "HP:1") in [(fault.rule, fault.about) for fault in faults]
    doubled = replace(tiny, concepts=(*tiny.concepts, Concept("ckg:z", "Lung", "anatomy")))
    faults = validate(doubled)
    assert [f.about for f in faults if f.rule == "duplicate_label"] == ["lung"]
    assert faults[0].severity == "error"


def test_only_concepts_on_a_cycle_are_blamed():
    concepts = tuple(Concept(name, name, "finding") for name in "abcd")
    edges = tuple(
        Edge(one, "is_a", two, SAID)
        for one, two in [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]
    )
    faults = validate(KnowledgeGraph(concepts, edges))
    assert [f.about for f in faults if f.rule == "is_a_cycle"] == ["b", "c"]
