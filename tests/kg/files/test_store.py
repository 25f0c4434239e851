"""Stores lose nothing, are whole or absent, start fast, and refuse what is malformed by line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyoxigraph
import pytest

from kg.errors import InputError
from kg.files.store import ENDINGS, SHIPPED, load, save


@pytest.mark.parametrize("ending", ENDINGS)
def test_round_trip_of_the_shipped_graph(shipped, tmp_path, ending):
    path = tmp_path / f"graph{ending}"
    save(shipped, path)
    again = load(path)
    assert again.fingerprint == shipped.fingerprint
    assert again == shipped
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_round_trip_keeps_odd_text_numbers_and_orders(tiny, tmp_path, ending):
    path = tmp_path / f"graph{ending}"
    save(tiny, path)
    assert load(path) == tiny


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_graph_has_one_file(tiny, tmp_path, ending):
    first, second = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    save(tiny, first)
    save(load(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_trig_holds_one_named_graph_a_data_set(tiny, tmp_path):
    path = tmp_path / "graph.trig"
    save(tiny, path)
    store = pyoxigraph.Store()
    store.load(path.read_bytes(), format=pyoxigraph.RdfFormat.TRIG)
    names = {str(name.value) for name in store.named_graphs()}
    assert {"urn:kgdx:from:OpenI", "urn:kgdx:from:NIH", "urn:kgdx:from:a%20textbook"} == names
    query = "SELECT ?s { GRAPH <urn:kgdx:from:OpenI> { ?s ?p ?o } }"
    assert len(list(store.query(query))) == 3


def test_the_shipped_graph_loads_without_heavy_libraries(processes):
    heavy = ("torch", "pandas", "rdflib", "pyoxigraph", "networkx", "pyshacl", "numpy", "pydantic")
    code = (
        "import sys; from kg.files.store import load_shipped; load_shipped(); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert processes.python(code).stdout.strip() == "[]"


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "cut.jsonl"
    lines = SHIPPED.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-30]), encoding="utf-8")
    with pytest.raises(InputError, match="edges where its first line says|label_sets where"):
        load(path)


HEAD = '{"record": "graph", "format": 1, "name": "g"}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.jsonl", "", "g.jsonl, line 1: the file is empty"),
        ("g.jsonl", "[]\n", "g.jsonl, line 1: is not a record"),
        ("g.jsonl", '{"record": "concept"}\n', "line 1: is not the head"),
        ("g.jsonl", '{"record": "graph", "format": 99}\n', "line 1: is not the head"),
        ("g.jsonl", HEAD + "{broken\n", "g.jsonl, line 2: is not JSON"),
        ("g.jsonl", HEAD + '{"record": "thing"}\n', "line 2: no record 'thing'"),
        ("g.jsonl", HEAD + '{"record": "concept", "id": "a"}\n', "line 2: .*missing"),
        ("g.jsonl", HEAD + '{"record": "concept", "colour": "a"}\n', "line 2: .*colour"),
        ("g.ttl", "@prefix a: <urn:a> .\na:b a:c a:d .\nfoo\n", "g.ttl, line 3"),
        ("g.ttl", "<urn:a> <urn:b> <urn:c> .\n", "holds no kgdx:KnowledgeGraph"),
        (
            "g.ttl",
            "<urn:a> <http://www.w3.org/2002/07/owl#imports> <http://example.org/> .\n",
            "imports",
        ),
        ("g.xml", "", "is not stored as .xml"),
        ("nothing", "", "is not stored"),
    ],
)
def test_malformed_files_are_refused_with_file_and_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load(path)


CONCEPT = {"record": "concept", "id": "a", "label": "A", "kind": "finding"}
EDGE = {"record": "edge", "subject": "a", "relation": "is_a", "object": "b"}
ITEM = {"source": "s", "tag": "t", "status": "asserted"}
SET = {"record": "label_set", "name": "n", "concept": "a", "findings": [], "columns": []}


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({**CONCEPT, "id": ["a"]}, "id: text belongs"),
        ({**CONCEPT, "id": None}, "id: text belongs here, it is None"),
        ({**CONCEPT, "label": 1}, "label: text belongs here, it is 1"),
        ({**CONCEPT, "synonyms": "abc"}, "synonyms: a list belongs"),
        ({**CONCEPT, "xrefs": [1]}, "xrefs.0: text belongs"),
        ({**CONCEPT, "dataset": True}, "dataset: text or null belongs"),
        (
            {**CONCEPT, "phrases": [{"text": 1, "kind": "k", "source": "s"}]},
            "phrases.0.text: text belongs",
        ),
        ({**CONCEPT, "phrases": "abc"}, "phrases: a list belongs"),
        ({**EDGE, "relation": True, "evidence": [ITEM]}, "relation: text belongs"),
        ({**EDGE, "label_set": 7, "evidence": [ITEM]}, "label_set: text or null belongs"),
        ({**EDGE, "evidence": [{**ITEM, "weight": "0.5"}]}, "evidence.0.weight: a number"),
        ({**EDGE, "evidence": [{**ITEM, "weight": float("nan")}]}, "evidence.0.weight: a number"),
        ({**EDGE, "evidence": [{**ITEM, "count": 1.5}]}, "evidence.0.count: a whole number"),
        ({**EDGE, "evidence": [{**ITEM, "count": True}]}, "evidence.0.count: a whole number"),
        (
            {**EDGE, "evidence": [{**ITEM, "status": "said"}]},
            "evidence.0.status: asserted, derived",
        ),
        ({**EDGE, "evidence": [{**ITEM, "status": []}]}, "evidence.0.status: asserted, derived"),
        ({**SET, "exclusive": 1}, "exclusive: true or false"),
        ({**SET, "findings": {"a": 1}}, "findings: a list belongs"),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name_and_line(tmp_path, record, says):
    path = tmp_path / "g.jsonl"
    path.write_text(HEAD + json.dumps(record) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"g.jsonl: line 2: {says}"):
        load(path)


def test_a_record_of_no_kind_is_refused(tmp_path):
    path = tmp_path / "g.jsonl"
    path.write_text(HEAD + json.dumps({**SET, "record": ["label_set"]}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="g.jsonl, line 2: no record"):
        load(path)


def test_a_weight_that_is_no_number_is_refused_in_turtle(tiny, tmp_path):
    path = tmp_path / "g.ttl"
    save(tiny, path)
    text, count = re.subn(r'kgdx:weight "[^"]*"', 'kgdx:weight "NaN"', path.read_text("utf-8"))
    assert count
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="weight: a number from 0"):
        load(path)


def test_an_edge_without_evidence_is_refused_in_turtle(tiny, tmp_path):
    path = tmp_path / "g.ttl"
    save(tiny, path)
    with path.open("a", encoding="utf-8") as file:
        file.write("ckg:lung <http://purl.obolibrary.org/obo/BFO_0000050> ckg:opacity .\n")
    with pytest.raises(InputError, match="1 edges without evidence, first ckg:lung part_of"):
        load(path)


def test_missing_files_and_folders_are_refused(tiny, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "g.jsonl")
    with pytest.raises(InputError, match="No such file"):
        save(tiny, tmp_path / "nowhere" / "g.jsonl")


def test_a_failing_save_leaves_the_old_file(tiny, tmp_path, monkeypatch):
    path = tmp_path / "g.jsonl"
    save(tiny, path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match="cannot be written: disk full"):
        save(tiny.with_edges(()), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["g.jsonl"]


def test_a_graph_edited_after_its_build_needs_a_word(tiny, tmp_path):
    for ending in (".jsonl", ".ttl"):
        path = tmp_path / f"g{ending}"
        save(tiny, path)
        assert load(path) == tiny
        text = path.read_text(encoding="utf-8")
        assert '"consolidation"' in text
        path.write_text(text.replace('"consolidation"', '"consolidated"'), encoding="utf-8")
        with pytest.raises(InputError, match="edited after its build") as caught:
            load(path)
        assert "--allow-edited" in caught.value.hint
        edited = load(path, allow_edited=True)
        assert edited.fingerprint != tiny.fingerprint
        save(edited, path)
        assert load(path) == edited


def test_a_graph_written_by_hand_states_no_fingerprint(tiny, tmp_path):
    path = tmp_path / "g.jsonl"
    save(tiny, path)
    head, _, rest = path.read_text(encoding="utf-8").partition("\n")
    plain = {key: value for key, value in json.loads(head).items() if key != "fingerprint"}
    path.write_text(f"{json.dumps(plain)}\n{rest.replace('consolidation', 'dense')}")
    assert load(path).name == "tiny"
