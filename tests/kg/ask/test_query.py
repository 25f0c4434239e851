"""SPARQL: answers, a time limit that holds, no other server asked, endpoints, saved queries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import psutil
import pytest

from kg.ask import query as asking
from kg.ask.endpoint import query_endpoint
from kg.ask.query import QueryTimeout, filled, query_file, refuse_service, save_query, saved
from kg.errors import InputError
from kg.files.store import SHIPPED, load, save
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

PLENTY = 600
"""Seconds no query here takes."""


@pytest.fixture
def file(tiny, tmp_path: Path) -> Path:
    save(tiny, tmp_path / "g.jsonl")
    return tmp_path / "g.jsonl"


def rows(answer: asking.Answer) -> list[tuple[str, ...]]:
    return [tuple(asking.term(value) for value in row) for row in answer.rows]


def test_a_table_an_answer_and_a_graph(file):
    select = "SELECT ?l { ?s rdfs:subClassOf ckg:opacity ; rdfs:label ?l }"
    answer = query_file(file, select, seconds=PLENTY)
    assert (answer.columns, rows(answer)) == (("l",), [("consolidation",)])
    assert query_file(file, "ASK { ckg:lung ?p ?o }", seconds=PLENTY).yes is True
    made = query_file(
        file, "CONSTRUCT { ?s ckg:below ?o } { ?s rdfs:subClassOf ?o }", seconds=PLENTY
    )
    assert made.turtle is not None
    assert "ckg:consolidation ckg:below ckg:opacity" in made.turtle


def test_evidence_and_data_sets_can_be_asked_for(file):
    weights = """SELECT ?dataset ?weight { ?e rdf:predicate ckg:co_occurs_with ;
      kgdx:evidence [ kgdx:dataset ?dataset ; kgdx:weight ?weight ] } ORDER BY ?dataset"""
    found = rows(query_file(file, weights, seconds=PLENTY))
    assert [name for name, _ in found] == ["NIH", "OpenI"]
    assert float(found[0][1]) == 1 / 3
    graphs = "SELECT ?s ?p ?o { GRAPH <urn:kgdx:from:NIH> { ?s ?p ?o } }"
    (one, other) = rows(query_file(file, graphs, seconds=PLENTY))
    assert one[::-1] == other  # one edge, of a symmetric relation


@pytest.mark.parametrize(
    ("concept", "relation", "count"),
    [
        ("pneumothorax", "ckg:co_occurs_with", 14),
        ("cardiomegaly", "ckg:co_occurs_with", 47),
        ("pneumonia", "ckg:co_occurs_with", 19),
        ("pneumothorax", "owl:disjointWith", 1),
        ("no_finding", "owl:disjointWith", None),
    ],
)
def test_a_symmetric_relation_answers_from_either_side(concept, relation, count):
    sides = [
        {row[0] for row in rows(query_file(SHIPPED, f"SELECT ?x {{ {ends} }}", seconds=PLENTY))}
        for ends in (
            f"ckg:{concept} {relation} ?x",
            f"?x {relation} ckg:{concept}",
            f"GRAPH ?g {{ ckg:{concept} {relation} ?x }}",
        )
    ]
    assert sides[0] == sides[1] == sides[2] != set()
    assert count in (None, len(sides[0]))


@pytest.mark.parametrize("ending", [".jsonl", ".ttl", ".trig"])
def test_every_form_of_a_graph_answers_from_either_side_and_counts_an_edge_once(
    tiny, tmp_path, ending
):
    path = tmp_path / f"g{ending}"
    save(tiny, path)
    stated = [edge for edge in tiny.edges if edge.relation == "co_occurs_with"]
    both = {(edge.subject, edge.object) for edge in stated}
    both |= {(last, first) for first, last in both}
    found = query_file(path, "SELECT DISTINCT * { ?a ckg:co_occurs_with ?b }", seconds=PLENTY)
    assert set(rows(found)) == both
    edges = "SELECT (COUNT(?e) AS ?n) { ?e rdf:predicate ckg:co_occurs_with }"
    assert rows(query_file(path, edges, seconds=PLENTY)) == [(str(len(stated)),)]
    assert load(path).fingerprint == tiny.fingerprint


@pytest.mark.parametrize(
    ("statement", "turned"),
    [
        ("skos:related", True),
        ("skos:closeMatch", True),
        ("owl:disjointWith", True),
        ("<urn:meets>", True),
        ("<urn:causes>", False),
        ("skos:broader", False),
    ],
)
def test_other_files_answer_from_either_side_of_what_is_declared_symmetric(
    tmp_path, statement, turned
):
    (tmp_path / "o.ttl").write_text(
        "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
        "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n"
        "<urn:meets> a owl:SymmetricProperty .\n"
        f'<urn:a> {statement} <urn:b> , "a text" .\n'
    )
    asked = query_file(tmp_path / "o.ttl", f"ASK {{ <urn:b> {statement} <urn:a> }}", seconds=PLENTY)
    assert asked.yes is turned


def test_any_rdf_file_and_published_ids(tmp_path):
    (tmp_path / "o.nt").write_text('<http://purl.obolibrary.org/obo/HP_0002202> <urn:p> "x" .\n')
    answer = query_file(tmp_path / "o.nt", "SELECT ?s { ?s ?p ?o }", seconds=PLENTY)
    assert rows(answer) == [("HP:0002202",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT ?s WHERE { ?s ?p }", "query: "),
        ("INSERT DATA { ckg:a ckg:b ckg:c }", "query: "),
        ("SELECT * { ?s nope:x ?o }", "query: "),
        ("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", "ask another server"),
    ],
)
def test_malformed_queries_are_refused(file, text, message):
    with pytest.raises(InputError, match=message):
        query_file(file, text, seconds=PLENTY)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("SELECT * { service<urn:x> { ?s ?p ?o } }", True),
        ("SELECT * { # a comment\n SERVICE\n SILENT ?x { ?s ?p ?o } }", True),
        ("SELECT * { \\u0053ERVICE <urn:x> {} }", True),
        ("SELECT * { ?s ?p '''a''' SERVICE <urn:x> {} }", True),
        ("SELECT ?service { ?service ckg:service 'SERVICE' . # SERVICE\n }", False),
        ('SELECT * { ?s <http://x/SERVICE> "\\" SERVICE " }', False),
        ("PREFIX service: <urn:s:> SELECT * { ?s service:x ?o }", False),
    ],
)
def test_service_is_found_wherever_it_is_a_clause(text, refused):
    if refused:
        with pytest.raises(InputError, match="another server"):
            refuse_service(text)
    else:
        refuse_service(text)


def test_time_is_up_for_a_query_that_never_ends(file):
    endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    before = psutil.Process().children()
    with pytest.raises(QueryTimeout) as caught:
        query_file(file, endless, seconds=1.5)
    assert "--timeout" in caught.value.hint
    assert psutil.Process().children() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.jsonl", "{", "g.jsonl, line 1"),
        ("g.owl", '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>', "outside"),
        ("g.nt", "<a> b\n", "g.nt, line 1"),
        ("g.doc", "", "no RDF by its ending"),
    ],
)
def test_malformed_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        query_file(tmp_path / name, "ASK {}", seconds=PLENTY)


@contextmanager
def endpoint(
    status: int, kind: str, body: bytes, *, after: threading.Event | None = None
) -> Iterator[tuple[str, list]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked.append(parse_qs(self.rfile.read(length).decode())["query"][0])
            if after is not None:
                after.wait()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/sparql", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


TABLE = json.dumps(
    {
        "head": {"vars": ["s", "n"]},
        "results": {"bindings": [{"s": {"type": "uri", "value": "urn:ckg:lung"}}]},
    }
).encode()


def test_a_remote_endpoint_is_asked_by_the_protocol():
    with endpoint(200, "application/sparql-results+json", TABLE) as (url, asked):
        answer = query_endpoint(url, "SELECT * { ?s ?p ?n }", seconds=PLENTY)
    assert asked == ["SELECT * { ?s ?p ?n }"]
    assert rows(answer) == [("ckg:lung", "")]
    with endpoint(200, "text/turtle", b"<a> <b> <c> .") as (url, _):
        assert query_endpoint(url, "CONSTRUCT {} {}", seconds=PLENTY).turtle == "<a> <b> <c> ."
    with endpoint(200, "application/json", b'{"head": {}, "boolean": false}') as (url, _):
        assert query_endpoint(url, "ASK {}", seconds=PLENTY).yes is False


@pytest.mark.parametrize(
    ("status", "kind", "body", "message"),
    [
        (400, "text/plain", b"malformed: line 1\nmore", "400 Bad Request"),
        (500, "text/plain", b"", "500 Internal"),
        (200, "text/html", b"<html>", "answers with text/html"),
        (200, "application/json", b"[1]", "no table of SPARQL results"),
        (200, "application/json", b"{", "no table of SPARQL results"),
    ],
)
def test_what_an_endpoint_may_answer_instead(status, kind, body, message):
    with endpoint(status, kind, body) as (url, _), pytest.raises(InputError, match=message):
        query_endpoint(url, "ASK {}", seconds=PLENTY)


def test_an_endpoint_that_is_slow_or_not_there():
    given_up = threading.Event()
    with endpoint(200, "application/json", TABLE, after=given_up) as (url, _):
        with pytest.raises(QueryTimeout):
            query_endpoint(url, "ASK {}", seconds=0.3)
        given_up.set()
    with pytest.raises(InputError, match="cannot be reached"):
        query_endpoint(url, "ASK {}", seconds=PLENTY)
    with pytest.raises(InputError, match="no address"):
        query_endpoint("file:///etc/passwd", "ASK {}", seconds=PLENTY)


def test_every_shipped_query_says_what_it_asks_and_answers():
    values = {"concept": "<urn:ckg:atelectasis>", "dataset": '"NIH"', "one": '"nih14"',
              "two": '"chexpert14"'}  # fmt: skip
    found = asking.names()
    assert len(found) == 6
    text = found["crosswalk"].read_text()
    assert len(rows(query_file(SHIPPED, filled(text, {k: values[k] for k in ("one", "two")}),
                               seconds=PLENTY))) == 8  # fmt: skip
    labels = {concept.id: concept.label for concept in load(SHIPPED).concepts}
    for path in found.values():
        assert len(asking.describe(path).split()) > 4
        needed = {k: v for k, v in values.items() if f"${k}" in path.read_text()}
        if path.stem == "findings_of":
            needed["concept"] = "<urn:ckg:covid_19>"
        answer = query_file(SHIPPED, filled(path.read_text(), needed), seconds=PLENTY)
        assert answer.rows
        for row in rows(answer):
            # A concept stands with its label after it; a relation with the graph's name.
            assert all(labels[cell] in row[n + 1 :] for n, cell in enumerate(row) if cell in labels)
            assert not any(cell.startswith(("RO:", "rdfs:", "ckg:")) for cell in row
                           if cell not in labels)  # fmt: skip
    together = filled(saved("seen_together"), {"concept": values["concept"]})
    answer = query_file(SHIPPED, together, seconds=PLENTY)
    assert ("ckg:pleural_effusion", "Pleural Effusion", "NIH", "0.246", "3275") in rows(answer)


def test_a_relation_of_another_vocabulary_is_listed_too(tmp_path):
    mined = Evidence("s", "data:Mine", "mined", "Mine")
    ends = Concept("ckg:a", "one", "finding"), Concept("ckg:b", "two", "finding")
    edges = (Edge("ckg:a", "x:near", "ckg:b", (mined,)), Edge("ckg:b", "is_a", "ckg:a", (mined,)))
    save(KnowledgeGraph(ends, edges), tmp_path / "g.jsonl")
    asked = filled(saved("only_from"), {"dataset": '"Mine"'})
    assert rows(query_file(tmp_path / "g.jsonl", asked, seconds=PLENTY)) == [
        ("ckg:a", "one", "x:near", "ckg:b", "two"),
        ("ckg:b", "two", "is_a", "ckg:a", "one"),
    ]


def test_queries_are_saved_and_found_by_name(tmp_path):
    save_query("mine", "ASK { ?s ?p $what }", tmp_path / "own")
    assert saved("mine", tmp_path / "own").startswith("# mine\nASK")
    assert filled(saved("mine", tmp_path / "own"), {"what": "<urn:x>"}).endswith("<urn:x> }\n")
    for broken, message in (
        (lambda: saved("mien", tmp_path / "own"), "no query is called"),
        (lambda: save_query("../x", "ASK {}", tmp_path), "no name"),
        (lambda: filled("ASK { ?s ?p $what }", {}), "needs \\$what"),
        (lambda: filled("ASK {}", {"waht": "1"}), "has no \\$waht"),
    ):
        with pytest.raises(InputError, match=message):
            broken()
