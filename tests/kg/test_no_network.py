"""Nothing is fetched while parsing, whatever a file asks for: a loopback server hears nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kg.ask.query import query_file
from kg.errors import InputError
from kg.files.store import load
from kg.model.graph import KnowledgeGraph
from kg.shapes import shape_faults
from kg.sources import SOURCES, Facts


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", heard
    listening.shutdown()
    listening.server_close()


XML = """<?xml version="1.0"?>
{doctype}
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{url}/s {url}/s.xsd">
  <owl:Ontology rdf:about="{url}/o"><owl:imports rdf:resource="{url}/imported.owl"/></owl:Ontology>
  <owl:Class rdf:about="{url}/c"><rdfs:label>{text}</rdfs:label></owl:Class>
</rdf:RDF>
"""
FILES = {
    "plain.owl": XML.replace("{doctype}", "").replace("{text}", "lung"),
    "entity.owl": XML.replace("{doctype}", '<!DOCTYPE r [<!ENTITY e SYSTEM "{url}/e">]>').replace(
        "{text}", "&e;"
    ),
    "dtd.owl": XML.replace("{doctype}", '<!DOCTYPE r SYSTEM "{url}/r.dtd">').replace(
        "{text}", "lung"
    ),
    "parameter.owl": XML.replace(
        "{doctype}", '<!DOCTYPE r [<!ENTITY % p SYSTEM "{url}/p"> %p;]>'
    ).replace("{text}", "lung"),
    "context.jsonld": '{"@context": "{url}/context", "@id": "urn:a", "name": "lung"}',
    "import.ttl": "<{url}/o> <http://www.w3.org/2002/07/owl#imports> <{url}/i.owl> .",
    "base.n3": "@base <{url}/> . @prefix log: <http://www.w3.org/2000/10/swap/log#> . "
    "<a> log:semantics <b> .",
}
OBO = "format-version: 1.2\nimport: {url}/other.obo\n\n[Term]\nid: T:1\nname: lung\n"


def write(folder: Path, name: str, content: str, url: str) -> Path:
    path = folder / name
    path.write_text(content.replace("{url}", url))
    return path


@pytest.mark.parametrize("name", FILES)
def test_ontologies_are_read_without_the_network(name, server, tmp_path):
    url, heard = server
    path = write(tmp_path, name, FILES[name], url)
    part = SOURCES.load("owl")
    for imports in ("refuse", "leave_out"):
        with suppress(InputError):
            options = part.Options(file=name, source="s", imports=imports)
            part(options).read(tmp_path, Facts())
    with suppress(InputError):
        query_file(path, "SELECT * { ?s ?p ?o }", seconds=600)
    if path.suffix == ".ttl":
        with suppress(InputError):
            load(path)
    assert heard == []


def test_obo_imports_are_not_followed(server, tmp_path):
    url, heard = server
    write(tmp_path, "t.obo", OBO, url)
    part = SOURCES.load("obo")
    with pytest.raises(InputError, match="never fetched"):
        part(part.Options(file="t.obo", source="s")).read(tmp_path, Facts())
    options = part.Options(file="t.obo", source="s", imports="leave_out")
    facts = part(options).read(tmp_path, Facts())
    assert [concept.label for concept in facts.concepts] == ["lung"]
    assert facts.dropped["import that is not followed"] == 1
    assert heard == []


def test_shapes_and_queries_ask_nobody(server, tmp_path):
    url, heard = server
    shapes = write(tmp_path, "s.ttl", FILES["import.ttl"], url)
    assert shape_faults(KnowledgeGraph((), ()), [shapes]) == []
    path = write(tmp_path, "g.nt", "<urn:a> <urn:b> <urn:c> .\n", url)
    for query in (f"SELECT * {{ SERVICE <{url}/x> {{ ?s ?p ?o }} }}",
                  f"SELECT * FROM <{url}/g> {{ ?s ?p ?o }}",
                  f"LOAD <{url}/g>"):  # fmt: skip
        with suppress(InputError):
            query_file(path, query, seconds=600)
    assert heard == []
