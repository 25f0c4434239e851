"""Graphs the tests of the knowledge graph share: the shipped one, and one small enough to read."""

from __future__ import annotations

import pytest

from kg.files.store import load_shipped
from kg.model.concepts import Concept, Phrase
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

CURATED = Evidence("a textbook", "curated", "asserted")


@pytest.fixture(scope="session")
def shipped() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture
def tiny() -> KnowledgeGraph:
    concepts = (
        Concept("ckg:set", "a set", "label_set"),
        Concept("ckg:nothing", "nothing", "normality"),
        Concept(
            "ckg:opacity",
            "opacity",
            "finding",
            synonyms=("density", 'a "quoted"\tname'),
            xrefs=("HP:1", "UMLS:C1"),
            phrases=(
                Phrase("density", "synonym", "some reports", dataset="OpenI"),
                Phrase("阴影", "synonym", "a textbook", language="zh"),
            ),
            definition="Whatever is white.\nMostly.",
            source="a textbook || another",
        ),
        Concept("ckg:consolidation", "consolidation", "finding", synonyms=("density",)),
        Concept("ckg:mined", "mined name", "finding", dataset="OpenI", source="some reports"),
        Concept("ckg:lung", "lung", "anatomy"),
        Concept("other vocabulary/7", "odd id", "disease"),
    )
    openi = Evidence("s", "data:OpenI N=9", "mined", "OpenI", "CC0", 0.1, 4, "lift=2;npmi=0.1")
    nih = Evidence("t", "data:NIH N=9", "mined", "NIH", weight=1 / 3, count=7)
    edges = (
        Edge("ckg:consolidation", "is_a", "ckg:opacity", (CURATED,)),
        Edge("ckg:opacity", "located_in", "ckg:lung", (CURATED, openi)),
        Edge("ckg:consolidation", "located_in", "ckg:lung", (openi,)),
        Edge("ckg:consolidation", "co_occurs_with", "other vocabulary/7", (nih, openi)),
        Edge("ckg:mined", "suggestive_of", "other vocabulary/7", (CURATED,)),
        Edge("ckg:opacity", "disjoint_with", "ckg:nothing", (CURATED,)),
        Edge("ckg:lung", "grouped_under", "ckg:opacity", (CURATED,), label_set="small"),
        Edge("ckg:opacity", "member_of", "ckg:set", (CURATED,)),
        Edge("ckg:nothing", "member_of", "ckg:set", (CURATED,)),
    )
    sets = (
        LabelSet("small", "ckg:set", ("ckg:opacity", "ckg:nothing"), ("O", "normal"),
                 no_finding="ckg:nothing"),
        LabelSet("excl", "ckg:set", ("ckg:opacity", "ckg:nothing"), ("O", "n"), exclusive=True,
                 with_no_finding=("ckg:opacity",)),
    )  # fmt: skip
    return KnowledgeGraph(concepts, edges, sets, name="tiny")
