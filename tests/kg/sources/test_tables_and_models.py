"""Triples, finding models, definitions, phrase lists, built graphs, and licensed vocabularies."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from kg.build.merge import merge
from kg.controls.graph_controls import without_source
from kg.errors import InputError
from kg.files.store import save
from kg.model.graph import KnowledgeGraph
from kg.sources import Facts


def test_triples_find_known_ends_and_make_new_ones(read, known, tmp_path):
    (tmp_path / "t.jsonl").write_text(
        '{"s": "effusion", "p": "located_in", "o": "Left Chest"}\n\n'
        '{"s": "effusion", "p": "located_in", "o": "left chest"}\n'
        '{"subject": "X:1", "relation": "treats", "object": "pneumonia", "weight": 0.5, '
        '"source": "a trial", "licence": "CC0"}\n'
        '{"s": "effusion", "p": "is like", "o": "Pleural Effusion"}\n'
        '{"s": "a", "p": "ignore me", "o": "b"}\n'
    )
    facts = read("triples", known, file="t.jsonl", source="notes", prefix="n",
                 relations={"ignore me": "drop"}, object_kinds={"located_in": "anatomy"},
                 )  # fmt: skip
    assert sorted(edge.key[:3] for edge in facts.edges) == [
        ("X:1", "n:treats", "ckg:pneumonia"),
        ("ckg:effusion", "located_in", "n:left_chest"),
    ]
    assert {(c.id, c.label, c.kind) for c in facts.concepts} == {
        ("X:1", "X:1", "term"),
        ("n:left_chest", "Left Chest", "anatomy"),
    }
    by_subject = {edge.subject: edge.evidence for edge in facts.edges}
    (trial,) = by_subject["X:1"]
    assert (trial.source, trial.licence, trial.weight) == ("a trial", "CC0", 0.5)
    assert facts.dropped == {
        "triple stated twice": 1,
        "triple whose ends are one concept": 1,
        "triple of a relation that is not selected": 1,
    }
    only = read("triples", known, file="t.jsonl", source="notes", new_concepts=False)
    assert (only.concepts, only.edges) == ([], [])
    assert only.dropped["triple with an end that the graph does not know"] == 4


def test_bare_columns_headers_and_mined_triples(read, known, tmp_path):
    (tmp_path / "bare.tsv").write_text("effusion\tsuggestive_of\tpneumonia\n")
    (tmp_path / "head.tsv").write_text(
        "head\trelation\ttail\tcount\neffusion\tsuggestive_of\tpneumonia\t7\n"
    )
    bare = read("triples", known, file="bare.tsv", source="s")
    head = read("triples", known, file="head.tsv", source="s", status="mined", dataset="D")
    assert bare.edges[0].key == head.edges[0].key
    (item,) = head.edges[0].evidence
    assert (item.status, item.dataset, item.count) == ("mined", "D", 7)
    with pytest.raises(InputError, match="status mined with data set None"):
        read("triples", known, file="bare.tsv", source="s", status="mined")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("t.tsv", "a\tis_a\n", "line 1: 2 cells"),
        ("t.tsv", "a\tis_a\t\n", "an empty subject, relation or object"),
        ("t.tsv", "subject\trelation\tobject\tcount\na\tis_a\tb\tmany\n", "line 2.count"),
        ("t.tsv", "subject\trelation\tobject\tcuont\na\tis_a\tb\t1\n", "cuont: there is no such"),
        ("t.jsonl", '{"s": "a", "p": "is_a"}\n', "line 1.object"),
        ("t.jsonl", "[1]\n", "line 1: is no object"),
        ("t.jsonl", '{"s": "a"\n', "line 1"),
        ("t.jsonl", "[" * 200000, "line 1"),
    ],
)
def test_bad_triples_are_refused_by_line(read, tmp_path, file, content, message):
    (tmp_path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        read("triples", file=file, source="s")


def test_a_wrong_name_of_a_relation_is_told(read, tmp_path):
    (tmp_path / "t.tsv").write_text("a\tis\tb\n")
    with pytest.raises(InputError, match="no relation 'isa'") as caught:
        read("triples", file="t.tsv", source="s", relations={"is": "isa"})
    assert "is_a" in caught.value.hint


MODEL = {
    "oifm_id": "OIFM_X_1", "name": "Pleural Effusion", "description": "pleural effusion",
    "synonyms": ["hydrothorax"], "tags": ["chest", "XR"],
    "attributes": [{"name": "Location", "values": [{"name": "lung"}, {"name": "moon"}]}],
    "index_codes": [{"system": "RADELEMENT", "code": "RDES254"},
                    {"system": "SNOMED", "code": "1"}],
}  # fmt: skip


def archive(path, *names):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            content = json.dumps(MODEL).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_finding_models(read, known, tmp_path):
    (tmp_path / "defs").mkdir()
    (tmp_path / "defs" / "a.fm.json").write_text(json.dumps(MODEL))
    archive(tmp_path / "defs.tar.gz", "defs/a.fm.json")
    edges = {"XR": ("seen_on_modality", "chest radiograph")}
    for file in ("defs", "defs.tar.gz"):
        facts = read("finding_models", known, file=file, tag_edges=edges, tags=("chest",))
        (found,) = facts.concepts
        assert (found.id, found.kind, found.definition) == ("OIFM:OIFM_X_1", "finding", "")
        assert found.xrefs == ("RADELEMENT:RDES254",)
        assert {edge.key[1:3] for edge in facts.edges} == {
            ("seen_on_modality", "ckg:xray"),
            ("located_in", "ckg:lung"),
        }
        assert facts.dropped["location that is no known anatomy"] == 1
    assert read("finding_models", known, file="defs", tags=("brain",)).concepts == []


def test_an_archive_writes_nothing_whatever_its_names(read, known, tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    archive(place / "d.tar.gz", "../../evil.json", "/tmp/evil.json")
    read("finding_models", known, file="in/d.tar.gz")
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "d.tar.gz"]


def test_bad_finding_models_are_refused(read, known, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.json").write_text('{"name": "x"}')
    with pytest.raises(InputError, match="a.json: is no finding model"):
        read("finding_models", known, file="d")
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        read("finding_models", known, file="x.tar.gz")
    with pytest.raises(InputError, match="check the path"):
        read("finding_models", known, file="gone.tar.gz")


def test_definitions_and_phrases_are_added_to_known_concepts(read, known, tmp_path):
    (tmp_path / "d.json").write_text('{"effusion": "Fluid  beside\\nthe lung.", "zebra": "no"}')
    facts = read("definitions", known, file="d.json", source="a book")
    assert [(c.id, c.definition) for c in facts.concepts] == [
        ("ckg:effusion", "Fluid beside the lung.")
    ]
    assert facts.concepts[0].definition_source == "a book"
    assert facts.dropped == {"name that the graph does not know": 1}
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "pleural_effusion.txt").write_text("Blunting\nblunting\n")
    (tmp_path / "lists" / "zebra.txt").write_text("stripes\n")
    facts = read("phrase_lists", known, folder="lists", source="a labeler")
    (concept,) = facts.concepts
    assert [(p.text, p.kind, p.source) for p in concept.phrases] == [
        ("blunting", "mention_stem", "a labeler")
    ]
    with pytest.raises(InputError, match=r"holds no \.txt"):
        read("phrase_lists", known, folder="nowhere", source="s")
    (tmp_path / "d.json").write_text("[1]")
    with pytest.raises(InputError, match="names and texts"):
        read("definitions", known, file="d.json", source="s")


def test_a_table_of_definitions_states_the_source_of_each(read, known, tmp_path):
    table = "concept\tdefinition\tsource\neffusion\tFluid.\tthe book\nckg:pneumonia\tFever.\t\n"
    (tmp_path / "d.tsv").write_text(table)
    facts = read("definitions", known, file="d.tsv", source="a list")
    assert {c.id: (c.definition, c.definition_source) for c in facts.concepts} == {
        "ckg:effusion": ("Fluid.", "the book"),
        "ckg:pneumonia": ("Fever.", "a list"),
    }
    with pytest.raises(InputError, match="ckg:pneumonia has no source"):
        read("definitions", known, file="d.tsv")


def test_the_first_definition_is_kept_with_its_source_and_goes_with_it(read, known, tmp_path):
    (tmp_path / "d.json").write_text('{"effusion": "Fluid."}')
    (tmp_path / "e.json").write_text('{"effusion": "Water."}')
    one = read("definitions", known, file="d.json", source="first book")
    two = read("definitions", known, file="e.json", source="second book")
    merged = merge((known, one, two))
    concept = next(c for c in merged.concepts if c.id == "ckg:effusion")
    assert (concept.definition, concept.definition_source) == ("Fluid.", "first book")
    assert "second book" not in concept.source
    assert [conflict.kind for conflict in merged.conflicts] == ["two_definitions"]
    graph = KnowledgeGraph(tuple(merged.concepts), ())
    left = without_source(graph, "first book").concept("ckg:effusion")
    assert (left.definition, left.source) == ("", concept.known_from)


def test_a_built_graph_is_a_source(read, tiny, tmp_path):
    save(tiny, tmp_path / "g.jsonl")
    facts = read("graph", file="g.jsonl")
    assert (facts.concepts, facts.edges) == (tiny.concepts, tiny.edges)
    assert len(read("graph").concepts) == 987


def conso(cui, name, *, language="ENG", preferred="Y", suppressed="N", vocabulary="MSH"):
    status = "P" if preferred == "Y" else "S"
    return (f"{cui}|{language}|{status}|L1|PF|S1|{preferred}|A1||||{vocabulary}|PT|C|{name}|0|"
            f"{suppressed}||\n")  # fmt: skip


def test_umls_is_read_from_the_users_copy(read, tmp_path):
    place = tmp_path / "META"
    place.mkdir()
    (place / "MRCONSO.RRF").write_text(
        conso("C1", "Hydrothorax", preferred="N") + conso("C1", "Pleural effusion")
        + conso("C1", "Pleuraerguss", language="GER") + conso("C2", "Lung disease")
        + conso("C3", "A gene") + conso("C2", "Old name", suppressed="O")
    )  # fmt: skip
    (place / "MRSTY.RRF").write_text(
        "C1|T033|A|Finding|AT1||\nC2|T047|B|Disease or Syndrome|AT2||\nC3|T028|C|Gene|AT3||\n"
    )
    (place / "MRDEF.RRF").write_text("C1|A1|AT1||MSH|Fluid in the chest.|N||\n")
    (place / "MRREL.RRF").write_text(
        "C2|A2|CUI|CHD|C1|A1|CUI|isa|R1||MSH|MSH|||N||\nC1|A|CUI|RO|C2|A|CUI|odd|R2||MSH|M|||N||\n"
    )
    kinds = {"T033": "finding", "Disease or Syndrome": "disease"}
    facts = read("umls", folder="META", types=kinds)
    assert [(c.id, c.label, c.kind, c.synonyms) for c in facts.concepts] == [
        ("UMLS:C1", "Pleural effusion", "finding", ("Hydrothorax",)),
        ("UMLS:C2", "Lung disease", "disease", ()),
    ]
    assert facts.concepts[0].definition == "Fluid in the chest."
    assert [edge.key[:3] for edge in facts.edges] == [("UMLS:C1", "is_a", "UMLS:C2")]
    assert "not to be passed on" in facts.edges[0].evidence[0].licence
    assert facts.dropped["name in another language"] == 1
    only = read("umls", Facts([facts.concepts[0]]), folder="META", only_known=True)
    assert [c.id for c in only.concepts] == ["UMLS:C1"]
    (place / "MRCONSO.RRF").write_text("C1|ENG|P\n")
    with pytest.raises(InputError, match="MRCONSO.RRF, line 1: 3 cells"):
        read("umls", folder="META")
    with pytest.raises(InputError, match="no such file"):
        read("umls", folder="nowhere")


CONCEPT = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n"
DESCRIPTION = ("id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\t"
               "caseSignificanceId\n")  # fmt: skip
RELATIONSHIP = ("id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\t"
                "typeId\tcharacteristicTypeId\tmodifierId\n")  # fmt: skip
FULL, OTHER = "900000000000003001", "900000000000013009"


def test_snomed_is_read_from_the_users_copy(read, tmp_path):
    place = tmp_path / "RF2" / "Snapshot" / "Terminology"
    place.mkdir(parents=True)
    (place / "sct2_Concept_Snapshot_INT_20260101.txt").write_text(
        CONCEPT + "".join(f"{i}\t2026\t{on}\tm\td\n" for i, on in ((1, 1), (2, 1), (3, 0), (4, 1)))
    )
    names = [
        (1, FULL, "Pleural effusion (disorder)"),
        (1, OTHER, "Hydrothorax"),
        (2, FULL, "Pleura (body structure)"),
        (4, FULL, "Physical object (physical object)"),
    ]
    (place / "sct2_Description_Snapshot-en_INT_20260101.txt").write_text(
        DESCRIPTION + "".join(f"9\t2026\t1\tm\t{c}\ten\t{t}\t{n}\tx\n" for c, t, n in names)
    )
    (place / "sct2_Relationship_Snapshot_INT_20260101.txt").write_text(
        RELATIONSHIP + "7\t2026\t1\tm\t1\t2\t0\t363698007\tc\tm\n"
        "8\t2026\t0\tm\t1\t2\t0\t116680003\tc\tm\n9\t2026\t1\tm\t1\t2\t0\t77\tc\tm\n"
    )  # fmt: skip
    facts = read("snomed", folder="RF2")
    assert [(c.id, c.label, c.kind, c.synonyms) for c in facts.concepts] == [
        ("SNOMEDCT:1", "Pleural effusion", "disease", ("Hydrothorax",)),
        ("SNOMEDCT:2", "Pleura", "anatomy", ()),
    ]
    assert [edge.key[:3] for edge in facts.edges] == [("SNOMEDCT:1", "located_in", "SNOMEDCT:2")]
    assert "not to be passed on" in facts.edges[0].evidence[0].licence
    assert facts.dropped == {
        "concept that is not active": 1,
        "concept of a kind that is not selected": 1,
        "relationship that is not active": 1,
        "relationship that is not selected": 1,
    }
    with pytest.raises(InputError, match="holds no sct2_Concept_Snapshot"):
        read("snomed", folder="nowhere")
