"""Every rule finds its fault in a file; files that make no graph are validated, not refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from kg.check.fault_report import counted, faults_as_json, faults_as_tsv
from kg.check.faults import RULES, Fault, fault
from kg.check.validate import Validation, validate, validate_file
from kg.errors import InputError
from kg.files.store import SHIPPED, load, save
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

SAID = (Evidence("a book", "curated", "asserted", licence="CC0"),)
MINED = Evidence("a table", "data:D", "mined", licence="CC0")


def concept(name: str, **fields: Any) -> Concept:
    return Concept(**{"id": f"ckg:{name}", "label": f"the {name}", "kind": "finding",
                      "source": "a book", **fields})  # fmt: skip


def graph(*edges: tuple[Any, ...], **concepts: Any) -> KnowledgeGraph:
    """Concepts a (finding), b (finding), c (anatomy) and s (label set), with edges among them."""
    known = {
        "a": concept("a"), "b": concept("b"), "c": concept("c", kind="anatomy"),
        "s": concept("s", kind="label_set"), "d": concept("d", kind="device"), **concepts,
    }  # fmt: skip
    made = [Edge(f"ckg:{s}", r, f"ckg:{o}", *rest) if rest else
            Edge(f"ckg:{s}", r, f"ckg:{o}", SAID) for s, r, o, *rest in edges]  # fmt: skip
    return KnowledgeGraph(tuple(known.values()), tuple(made))


def labelled(*edges: tuple[str, str, str], **fields: Any) -> KnowledgeGraph:
    whole = {"name": "set", "concept": "ckg:s", "findings": ("ckg:a", "ckg:b"),
             "columns": ("A", "B"), **fields}  # fmt: skip
    members = ("a", "member_of", "s"), ("b", "member_of", "s")
    return replace(graph(*members, *edges), label_sets=(LabelSet(**whole),))


GRAPHS: dict[str, KnowledgeGraph] = {
    "self_loop": graph(("a", "suggestive_of", "a")),
    "is_a_cycle": graph(("a", "is_a", "b"), ("b", "is_a", "a")),
    "part_of_cycle": graph(("a", "part_of", "b"), ("b", "part_of", "a")),
    "grouping_cycle": graph(("a", "is_a", "b"), ("b", "grouped_under", "a", SAID, "set")),
    "double_edge": graph(("a", "co_occurs_with", "b"), ("b", "co_occurs_with", "a")),
    "inverse_edge": graph(("a", "part_of", "b"), ("b", "has_part", "a")),
    "both_ways": graph(("a", "has_phenotype", "b"), ("b", "has_phenotype", "a")),
    "domain": graph(("c", "located_in", "c")),
    "range": graph(("a", "located_in", "b")),
    "disjoint_kin": graph(("a", "is_a", "b"), ("a", "disjoint_with", "b")),
    "is_a_with_label_set": graph(("a", "is_a", "b", SAID, "set")),
    "unknown_convention": graph(("a", "grouped_under", "b")),
    "label_set_incomplete": labelled(columns=("A",)),
    "label_set_twice": replace(labelled(), label_sets=labelled().label_sets * 2),
    "no_finding_not_disjoint": labelled(no_finding="ckg:a"),
    "no_label": graph(e=concept("e", label=" ")),
    "duplicate_label": graph(e=concept("e", label="THE A")),
    "shared_name": graph(e=concept("e", synonyms=("The A",))),
    "shared_xref": graph(a=concept("a", xrefs=("HP:1",)), e=concept("e", xrefs=("HP:1",))),
    "malformed_xref": graph(e=concept("e", xrefs=("RID1385",))),
    "orphan": graph(),
    "no_source": graph(("a", "is_a", "b", (replace(SAID[0], source=""),))),
    "no_licence": graph(("a", "is_a", "b", (replace(SAID[0], licence=""),))),
    "no_concept_source": graph(e=concept("e", source="")),
    "mined_without_dataset": graph(("a", "is_a", "b", (MINED,))),
    "shape:one_label": graph(e=concept("e", label="x")),
    "shape:tidy_label": graph(e=concept("e", label=" spaced")),
    "shape:known_xref": graph(e=concept("e", xrefs=("1 HP:2",))),
    "shape:site": graph(("a", "located_in", "b")),
    "shape:modality": graph(("a", "seen_on_modality", "b")),
    "shape:label_set": graph(("a", "member_of", "b")),
    "shape:pathogen": graph(("a", "has_pathogen", "b")),
    "shape:corpus": graph(("a", "mentioned_in", "b")),
    "shape:distribution": graph(("a", "has_distribution", "b")),
    "shape:diseased": graph(("c", "has_phenotype", "a")),
    "shape:device": graph(("d", "is_a", "c")),
    "shape:anatomy": graph(("c", "is_a", "a")),
    "shape:abnormal": graph(("a", "is_a", "d")),
}
SOUND = graph(("a", "is_a", "b"), ("a", "located_in", "c"), ("s", "part_of", "d"))


def changed(place: int, **fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(records: list[dict[str, Any]]) -> None:
        records[place].update(fields)

    return change


def repeated(place: int) -> Callable[[list[dict[str, Any]]], None]:
    return lambda records: records.append(dict(records[place]))


# Records of SOUND: 0 the head, 1-5 concepts a b c d s, 6-8 edges.
FILES: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "duplicate_id": changed(2, id="ckg:a"),
    "dangling_id": changed(6, object="ckg:nowhere"),
    "duplicate_edge": repeated(6),
    "unknown_relation": changed(6, relation="isa"),
    "no_evidence": changed(6, evidence=[]),
    "malformed_record": changed(1, label=5),
    "edited_after_build": changed(1, label="another"),
}


def written(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    save(SOUND, path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change(records)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 20 studies in which one of ten positives of `a` lacks its parent `b`."""
    rows = [f"{n},p{n},{int(n < 10)},{int(n < 9 or n > 15)}" for n in range(20)]
    (tmp_path / "t.csv").write_text("study,patient,A,B\n" + "\n".join(rows) + "\n")
    (tmp_path / "t.yaml").write_text(
        "{table: t.csv, patient: patient, patients: all, columns: {A: 'ckg:a', B: 'ckg:b'}}"
    )
    return tmp_path / "t.yaml"


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    terms = "[Term]\nid: HP:1\nname: the a\n\n[Term]\nid: HP:2\nname: a leg\n"
    (tmp_path / "v.obo").write_text(f"format-version: 1.2\n\n{terms}")
    return tmp_path / "v.obo"


@pytest.mark.parametrize("rule", GRAPHS)
def test_each_rule_finds_its_fault(rule):
    shapes = Validation(shapes=rule.startswith("shape:"))
    found = [one for one in validate(GRAPHS[rule], shapes) if one.rule == rule]
    assert found
    assert all(one.about and one.message and one.mend for one in found)
    assert rule not in {one.rule for one in validate(SOUND, shapes)}


@pytest.mark.parametrize("rule", FILES)
def test_each_rule_of_files_finds_its_fault(rule, tmp_path):
    faults = validate_file(written(tmp_path / "g.jsonl", FILES[rule]))
    assert rule in {one.rule for one in faults}
    # Whatever was edited by hand is told.
    assert "edited_after_build" in {one.rule for one in faults}
    assert rule not in {one.rule for one in validate_file(written(tmp_path / "g.jsonl", list))}


def said(**fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda records: records[6]["evidence"][0].update(fields)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (said(weight="0.5"), "evidence.0.weight"),
        (said(weight="strong"), "evidence.0.weight"),
        (said(weight=[1]), "evidence.0.weight"),
        (said(weight=True), "evidence.0.weight"),
        (said(weight=-1), "evidence.0.weight"),
        (said(weight=float("nan")), "evidence.0.weight"),
        (said(weight=float("inf")), "evidence.0.weight"),
        (said(count="many"), "evidence.0.count"),
        (said(count=2.5), "evidence.0.count"),
        (said(count=-3), "evidence.0.count"),
        (said(source=3), "evidence.0.source"),
        (said(status="sure"), "evidence.0.status"),
        (said(dataset=["D"]), "evidence.0.dataset"),
        (changed(6, evidence="x"), "evidence"),
        (changed(6, evidence=["x"]), "evidence.0"),
        (changed(6, subject=5), "subject"),
        (changed(6, relation=None), "relation"),
        (changed(6, label_set=["x"]), "label_set"),
        (changed(1, id=["ckg:a"]), "id"),
        (changed(1, label={"en": "a"}), "label"),
        (changed(1, synonyms="heart"), "synonyms"),
        (changed(1, synonyms=[1, 2]), "synonyms.0"),
        (changed(1, phrases=["x"]), "phrases.0"),
    ],
)
def test_a_value_of_another_type_is_a_fault_and_the_graph_is_not_used(change, place, tmp_path):
    path = written(tmp_path / "g.jsonl", change)
    (wrong,) = [one for one in validate_file(path) if one.rule == "malformed_record"]
    assert re.fullmatch(r"line [27]", wrong.about)
    assert wrong.message.startswith(f"{place}: ")
    with pytest.raises(InputError, match=re.escape(f"g.jsonl: {wrong.about}: {place}: ")):
        load(path, allow_edited=True)


@pytest.mark.parametrize("fields", [{"weight": 0}, {"weight": 3}, {"weight": 0.5, "count": 7}])
def test_numbers_of_the_right_type_stay_as_they_are_written(fields, tmp_path):
    path = written(tmp_path / "g.jsonl", said(**fields))
    assert not [one for one in validate_file(path) if one.rule == "malformed_record"]
    graph = load(path, allow_edited=True)
    (edge,) = [one for one in graph.edges if any(item.weight is not None for item in one.evidence)]
    assert repr(edge.evidence[0].weight) == repr(fields["weight"])
    save(graph, path)
    assert load(path).fingerprint == graph.fingerprint


@pytest.mark.parametrize("ending", [".ttl", ".trig"])
@pytest.mark.parametrize(
    ("was", "now", "place"),
    [
        ('"0.25"', '"strong"', "evidence.0.weight"),
        ('"0.25"', '"-1"', "evidence.0.weight"),
        ('"0.25"', '"nan"', "evidence.0.weight"),
        ("count 12", "count 12.5", "evidence.0.count"),
    ],
)
def test_so_it_is_in_turtle(was, now, place, ending, tmp_path):
    weighed = graph(("a", "is_a", "b", (replace(SAID[0], weight=0.25, count=12),)))
    path = tmp_path / f"g{ending}"
    save(weighed, path)
    assert load(path).fingerprint == weighed.fingerprint
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, now))
    found = validate_file(path)
    (wrong,) = [one for one in found if one.rule == "malformed_record"]
    assert wrong.about == "ckg:a is_a ckg:b"
    assert wrong.message.startswith(f"{place}: ")
    assert "no_evidence" not in {one.rule for one in found}
    with pytest.raises(InputError, match=re.escape(place)):
        load(path, allow_edited=True)


def test_every_rule_has_a_case():
    compared = {
        "is_a_against_labels", "xref_label_mismatch", "xref_unknown", "shapes_not_checked"
    }  # fmt: skip
    assert {rule for rule in GRAPHS if not rule.startswith("shape:")} | set(
        FILES
    ) | compared == set(RULES)


def test_turtle_is_validated_like_lines(tmp_path):
    save(SOUND, tmp_path / "g.ttl")
    assert counted(validate_file(tmp_path / "g.ttl")) == {"error": 0, "warning": 0, "info": 0}
    with (tmp_path / "g.ttl").open("a") as file:
        file.write("<urn:ckg:a> <urn:ckg:suggestive_of> <urn:ckg:b> .\n")
    assert [one.rule for one in validate_file(tmp_path / "g.ttl")] == ["no_evidence"]
    text = (tmp_path / "g.ttl").read_text().replace('"the a"', '"the other"')
    (tmp_path / "g.ttl").write_text(text)
    assert "edited_after_build" in [one.rule for one in validate_file(tmp_path / "g.ttl")]


def test_is_a_is_compared_with_labels(table):
    (found,) = [
        one
        for one in validate(SOUND, Validation(label_tables=(table,)))
        if one.rule == "is_a_against_labels"
    ]
    assert found.about == "ckg:a is_a ckg:b"
    assert "1 of 10 positives" in found.message
    plain = table.read_text()
    table.write_text(plain.replace("{table", "{most_specific: true, table"))
    assert "is_a_against_labels" not in {
        one.rule for one in validate(SOUND, Validation(label_tables=(table,)))
    }
    table.write_text(plain)
    agreeing = table.parent / "t.csv"
    agreeing.write_text(agreeing.read_text().replace("9,p9,1,0", "9,p9,1,1"))
    assert not [
        one
        for one in validate(SOUND, Validation(label_tables=(table,)))
        if one.rule == "is_a_against_labels"
    ]


def test_identifiers_are_compared_with_their_vocabulary(vocabulary):
    claims = graph(a=concept("a", xrefs=("HP:1",)), b=concept("b", xrefs=("HP:2", "HP:3", "Z:1")))
    found = [
        (one.rule, one.severity, one.about, one.message)
        for one in validate(claims, Validation(vocabularies=(vocabulary,)))
        if one.rule.startswith("xref_")
    ]
    assert found == [
        ("xref_label_mismatch", "warning", "ckg:b", "(the b) has HP:2, which is 'a leg'"),
        ("xref_unknown", "info", "ckg:b", "(the b) has HP:3, which v.obo has not"),
    ]


def test_own_shapes_are_checked_and_nothing_they_import_is_fetched(tmp_path):
    shapes = tmp_path / "own.ttl"
    shapes.write_text(
        """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix kgdx: <urn:kgdx:> .
        @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
        <urn:x> <http://www.w3.org/2002/07/owl#imports> <http://127.0.0.1:9/x> .
        <urn:mine/short> a sh:NodeShape ; sh:targetClass kgdx:anatomy ;
          sh:property [ sh:path rdfs:label ; sh:maxLength 3 ] ."""
    )
    found = [f for f in validate(SOUND, Validation(own_shapes=(shapes,))) if ":" in f.rule]
    assert [(one.rule, one.severity, one.about) for one in found] == [
        ("shape:short", "error", "ckg:c")
    ]
    shapes.write_text("not turtle at all")
    with pytest.raises(InputError, match=r"own\.ttl: is not Turtle"):
        validate(SOUND, Validation(own_shapes=(shapes,)))
    with pytest.raises(InputError, match="check the path"):
        validate(SOUND, Validation(own_shapes=(tmp_path / "gone.ttl",)))


def test_a_very_large_graph_is_told_that_its_shapes_are_not_checked(monkeypatch):
    monkeypatch.setattr("kg.check.validate.LARGEST_SHAPED", 2)
    found = [one.rule for one in validate(SOUND, Validation(shapes=True))]
    assert found == ["shapes_not_checked"]


def test_the_shipped_graph_keeps_its_shapes(shipped):
    assert not [f for f in validate(shipped, Validation(shapes=True)) if f.rule[:6] == "shape:"]
    assert counted(validate_file(SHIPPED)) == {"error": 0, "warning": 20, "info": 108}


def test_reports_hold_every_fault():
    nasty = replace(fault("orphan", "ckg:<script>", "a\tb\n<img>"))
    faults = [nasty, fault("no_source", "x", "y")]
    content = json.loads(faults_as_json("g & <h>", faults))
    assert content["counts"] == {"error": 1, "warning": 0, "info": 1}
    assert Fault(**content["faults"][0]) == nasty
    assert asdict(nasty)["mend"]
    lines = faults_as_tsv("g & <h>", faults).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["rule", "orphan", "no_source"]
