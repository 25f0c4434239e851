"""KGX tables: what was written is read back, other graphs' words are taken in, bad rows named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.build.merge import merge
from kg.build.recipe import build
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph
from kg.render.tsv import KgxTable
from kg.sources import Facts

RECIPE = """name: back
sources:
  - name: kgx
    options: {nodes: nodes.tsv, edges: edges.tsv, source: a graph}
join_by: []
"""

NODES = "id\tcategory\tname\txref\n"
EDGES = "subject\tpredicate\tobject\tknowledge_level\n"


def back(graph: KnowledgeGraph, folder: Path) -> KnowledgeGraph:
    for table in ("nodes", "edges"):
        part = KgxTable(KgxTable.Options(table=table))
        (folder / f"{table}.tsv").write_bytes(part.render(graph))
    (folder / "recipe.yaml").write_text(RECIPE)
    return build(folder / "recipe.yaml").graph


@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_a_written_graph_is_read_back(which, request, tmp_path):
    graph = request.getfixturevalue(which)
    read = back(graph, tmp_path)
    assert {edge.key: edge.evidence for edge in read.edges} == {
        edge.key: edge.evidence for edge in merge([Facts((), graph.edges)]).edges
    }
    for concept in graph.concepts:
        same = read.concept(concept.id)
        spaced = " ".join(concept.definition.split())
        assert (same.label, same.kind, same.definition) == (concept.label, concept.kind, spaced)
        assert set(same.xrefs) == set(concept.xrefs)
        assert (same.source or "a graph", same.dataset) == (
            concept.source or "a graph", concept.dataset
        )  # fmt: skip
        names = {" ".join(name.split()) for name in concept.synonyms}
        assert set(same.synonyms) == names - {concept.label}


def test_the_words_of_other_graphs_become_the_graphs_own(read, tmp_path):
    (tmp_path / "n.tsv").write_text(
        NODES + "HP:1\tbiolink:NamedThing|biolink:PhenotypicFeature\topacity\tUMLS:C1|UMLS:C2\n"
        "MONDO:1\tbiolink:Disease\tpneumonia\t\nX:1\tbiolink:Gene\t\t\n"
    )
    (tmp_path / "e.tsv").write_text(
        "subject\tpredicate\tobject\tknowledge_level\tprimary_knowledge_source\tpublications\n"
        "MONDO:1\tbiolink:has_phenotype\tHP:1\tknowledge_assertion\tinfores:hpo-annotations\t"
        "PMID:1|PMID:2\n"
        "X:1\tbiolink:gene_associated_with_condition\tMONDO:1\tprediction\t\t\n"
        "X:1\tbiolink:subclass_of\tX:1\t\t\t\n"
        "X:1\tbiolink:subclass_of\tX:9\t\t\t\n"
    )
    facts = read("kgx", nodes="n.tsv", edges="e.tsv", source="a graph", licence="CC0")
    assert [(c.id, c.label, c.kind) for c in facts.concepts] == [
        ("HP:1", "opacity", "finding"), ("MONDO:1", "pneumonia", "disease"), ("X:1", "X:1", "term")
    ]  # fmt: skip
    assert facts.concepts[0].xrefs == ("UMLS:C1", "UMLS:C2")
    assert [edge.key[:3] for edge in facts.edges] == [
        ("MONDO:1", "has_phenotype", "HP:1"),
        ("X:1", "biolink:gene_associated_with_condition", "MONDO:1"),
    ]
    (said,), (guessed,) = (edge.evidence for edge in facts.edges)
    assert (said.source, said.status) == ("infores:hpo-annotations || PMID:1 || PMID:2", "asserted")
    assert (guessed.source, guessed.status, guessed.licence) == ("a graph", "derived", "CC0")
    assert facts.dropped == {
        "edge with an end that is no node": 1, "edge whose ends are one concept": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ("id\tname\nA:1\ta\n", "", "line 1: no column category"),
        (NODES + "A:1\tbiolink:Gene\ta\n", "", "line 2: 3 cells, not 4"),
        (NODES + "A:1\t\ta\t\n", "", "line 2: an empty category"),
        (NODES + "A:1\tb:C\ta\t\n", EDGES + "A:1\tis like\tA:1\t\n", "predicate 'is like'"),
        (NODES + "A:1\tb:C\ta\t\nA:2\tb:C\tb\t\n",
         "subject\tpredicate\tobject\tcount\nA:1\tb:x\tA:2\tmany\n", "count 'many'"),
        (NODES + "A:1\tb:C\ta\t\nA:2\tb:C\tb\t\n",
         "subject\tpredicate\tobject\tweight\nA:1\tb:x\tA:2\tnan\n", "weight 'nan'"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_by_line(read, tmp_path, nodes, edges, message):
    (tmp_path / "n.tsv").write_text(nodes)
    (tmp_path / "e.tsv").write_text(edges or EDGES)
    with pytest.raises(InputError, match=message):
        read("kgx", nodes="n.tsv", edges="e.tsv", source="s")
