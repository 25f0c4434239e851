"""Every export format holds the whole graph and stays valid whatever names hold."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from kg.ask.excerpt import excerpt
from kg.ask.tree import Scope
from kg.files.store import load
from kg.model.graph import KnowledgeGraph
from kg.render import RENDERERS

NASTY = 'a "name" <b>\\ & #1; | ]]> \x01\n--> end;'


def rendered(ending: str, graph: KnowledgeGraph, **options: object) -> str:
    part = RENDERERS.load(ending)
    return part(part.Options(**options)).render(graph).decode()


@pytest.fixture
def nasty(tiny) -> KnowledgeGraph:
    odd = replace(tiny.concept("ckg:lung"), label=NASTY)
    concepts = [odd if concept.id == odd.id else concept for concept in tiny.concepts]
    return replace(tiny, concepts=tuple(concepts))


@pytest.mark.parametrize("ending", ["jsonl", "ttl", "trig"])
def test_stored_formats_read_back(tiny, tmp_path, ending):
    path = tmp_path / f"g.{ending}"
    path.write_text(rendered(ending, tiny))
    assert load(path).fingerprint == tiny.fingerprint


@pytest.mark.parametrize("ending", RENDERERS.names())
def test_every_format_names_every_concept(nasty, ending):
    options = {"csv": {"table": "concepts"}, "tsv": {"table": "nodes"}}.get(ending, {})
    text = rendered(ending, nasty, **options)
    assert all(c.label in text for c in nasty.concepts if c.label != NASTY)


def test_json_holds_everything(nasty):
    content = json.loads(rendered("json", nasty))
    assert content["fingerprint"] == nasty.fingerprint
    assert [c["label"] for c in content["concepts"] if c["id"] == "ckg:lung"] == [NASTY]
    assert sum(len(edge["evidence"]) for edge in content["edges"]) == 11
    assert [one["name"] for one in content["label_sets"]] == ["small", "excl"]


def test_csv_has_a_row_for_each_item_of_evidence(nasty):
    rows = list(csv.DictReader(io.StringIO(rendered("csv", nasty))))
    assert len(rows) == 11
    (mined,) = [r for r in rows if r["subject"] == "ckg:consolidation" and r["dataset"] == "NIH"]
    assert (mined["relation"], mined["count"], mined["status"]) == ("co_occurs_with", "7", "mined")
    assert float(mined["weight"]) == 1 / 3
    concepts = list(csv.DictReader(io.StringIO(rendered("csv", nasty, table="concepts"))))
    assert {row["label"] for row in concepts} >= {NASTY, "opacity"}


def test_triples_are_what_pyhealth_reads(tiny):
    pandas = pytest.importorskip("pandas")
    text = rendered("csv", tiny, table="triples")
    # As `pyhealth.graph.KnowledgeGraph` reads a .csv.
    read = pandas.read_csv(io.StringIO(text), sep=",", dtype=str)
    triples = list(zip(read["head"], read["relation"], read["tail"], strict=True))
    assert triples == [edge.key[:3] for edge in tiny.edges]


def test_kgx_tables_have_a_row_for_each_node_and_item_and_no_quotes(nasty):
    nodes = [line.split("\t") for line in rendered("tsv", nasty, table="nodes").splitlines()]
    edges = [line.split("\t") for line in rendered("tsv", nasty, table="edges").splitlines()]
    assert {len(row) for row in nodes} == {9}
    assert {len(row) for row in edges} == {16}
    by_id = {row[0]: dict(zip(nodes[0], row, strict=True)) for row in nodes[1:]}
    opacity = by_id["ckg:opacity"]
    assert opacity["category"] == "biolink:PhenotypicFeature"
    assert opacity["synonym"] == 'density|a "quoted" name'
    assert opacity["description"] == "Whatever is white. Mostly."
    assert by_id["ckg:lung"]["name"] == " ".join(NASTY.split())
    rows = [dict(zip(edges[0], row, strict=True)) for row in edges[1:]]
    assert len({row["id"] for row in rows}) == len(rows) == 11
    mined = next(row for row in rows if row["dataset"] == "NIH")
    assert (mined["predicate"], mined["knowledge_level"], mined["agent_type"]) == (
        "biolink:correlated_with", "statistical_association", "data_analysis_pipeline"
    )  # fmt: skip
    assert (mined["original_predicate"], mined["count"]) == ("co_occurs_with", "7")


def test_kgx_tables_fit_the_biolink_model(shipped):
    model = pytest.importorskip("biolink_model.datamodel.pydanticmodel_v2")
    lists = ("category", "xref", "synonym", "provided_by")
    own = {"kind", "dataset", "label_set", "tag", "licence", "weight", "count", "detail"}
    predicates = set()
    for table in ("nodes", "edges"):
        lines = rendered("tsv", shipped, table=table).splitlines()
        columns = lines[0].split("\t")
        assert own & set(columns)
        for line in lines[1:]:
            filled = {k: v for k, v in zip(columns, line.split("\t"), strict=True) if v}
            row = {k: v.split("|") if k in lists else v for k, v in filled.items() if k not in own}
            # Refuses a column that the class does not have, and a category that is not its own.
            getattr(model, row["category"][0].removeprefix("biolink:"))(**row)
            predicates.add(row.get("predicate", "biolink:related_to"))
    assert predicates >= {"biolink:subclass_of", "biolink:has_phenotype", "biolink:located_in"}


def test_graphml_is_well_formed_and_read_by_networkx(nasty):
    networkx = pytest.importorskip("networkx")
    text = rendered("graphml", nasty)
    ET.fromstring(text)
    graph = networkx.read_graphml(io.BytesIO(text.encode()), force_multigraph=True)
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (7, 9)
    assert graph.nodes["ckg:lung"]["label"] == NASTY.replace("\x01", "\ufffd")
    (edge,) = [d for _, _, d in graph.edges(data=True) if d["relation"] == "co_occurs_with"]
    assert (edge["datasets"], edge["evidence"]) == ("NIH|OpenI", 2)


def test_drawings_quote_what_would_be_markup(nasty):
    dot = rendered("dot", nasty)
    assert dot.count("->") == 9 + 1  # the nasty name holds one
    assert '\\"name\\"' in dot
    assert "dir=none" in dot
    mermaid = rendered("mmd", nasty)
    (line,) = [line for line in mermaid.splitlines() if "#34;name" in line]
    assert re.fullmatch(r'  n\d+\["[^"<>|`\\]*"\]:::k\d', line)
    assert len([line for line in mermaid.splitlines() if '|"' in line]) == 9


def test_an_excerpt_keeps_what_is_between_its_concepts(tiny):
    part = excerpt(tiny, "ckg:consolidation", Scope(1))
    assert {c.id for c in part.concepts} == {
        "ckg:consolidation", "ckg:opacity", "ckg:lung", "other vocabulary/7"
    }  # fmt: skip
    assert ("ckg:opacity", "located_in", "ckg:lung", "") in {edge.key for edge in part.edges}
    assert part.label_sets == ()
    only = excerpt(tiny, None, Scope(relations=("member_of",)))
    assert [s.name for s in only.label_sets] == ["small", "excl"]
    assert {edge.relation for edge in only.edges} == {"member_of"}
