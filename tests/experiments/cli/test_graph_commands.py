"""`kgdx graph` from outside: what is printed, what is refused, and what is never imported."""

from __future__ import annotations

import json

import pytest

from experiments.cli.main import main
from kg.files.store import save
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

HEAVY = ("torch", "pandas", "pyshacl", "networkx", "rdflib", "numpy", "pydantic", "pyoxigraph")


def ran(capsys, *words: str) -> tuple[int, str, str]:
    code = main(["graph", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_show_draws_a_concept_with_its_neighbours(capsys):
    code, out, err = ran(capsys, "show", "collapse", "--relation", "is_a", "--evidence")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "Atelectasis  ckg:atelectasis  finding"
    assert "├─ is a" in lines
    assert "│  └─ Lung Opacity  ckg:lung_opacity  [1 source]" in lines
    assert any("asserted: paper Irvin 2019" in line for line in lines)
    assert err == ""


def test_show_says_what_it_leaves_out(capsys):
    _, _, err = ran(capsys, "show", "atelectasis", "--limit", "1")
    assert "more neighbours: --limit 0" in err


def test_what_rests_on_memory_alone_is_told(capsys, tmp_path):
    memory, book = (
        Evidence(source, "curated", "asserted") for source in ("from memory: a course", "a book")
    )
    concepts = tuple(Concept(f"ckg:{name}", name, "finding") for name in "abc")
    edges = (
        Edge("ckg:a", "is_a", "ckg:b", (memory,)),
        Edge("ckg:a", "is_a", "ckg:c", (book, memory)),
        Edge("ckg:b", "co_occurs_with", "ckg:c", (memory,)),
    )
    file = str(tmp_path / "g.jsonl")
    save(KnowledgeGraph(concepts, edges), tmp_path / "g.jsonl")
    _, out, err = ran(capsys, "show", "a", "-g", file)
    assert "b  ckg:b  [from memory alone]" in out
    assert "c  ckg:c  [2 sources]" in out
    assert "1 of these 2 edges rest on memory alone" in err
    assert "from memory\t2\n" in ran(capsys, "stats", "-g", file)[1]


def test_a_definition_is_shown_with_its_source(capsys, tmp_path):
    source = "a list || definition: the book"
    a = Concept("ckg:a", "a", "finding", definition="The first\nof them.", source=source)
    save(KnowledgeGraph((a,), ()), tmp_path / "g.jsonl")
    _, out, _ = ran(capsys, "show", "a", "-g", str(tmp_path / "g.jsonl"))
    assert out.splitlines()[1:] == ["  The first of them.", "  definition from: the book"]


def test_show_as_json_has_every_item_of_evidence(capsys):
    code, out, _ = ran(capsys, "show", "atelectasis", "--json", "--limit", "0")
    known = json.loads(out)
    assert (code, known["id"]) == (0, "ckg:atelectasis")
    effusion = [n for n in known["neighbours"] if n["concept"] == "ckg:pleural_effusion"]
    together = next(n for n in effusion if n["relation"] == "co_occurs_with")
    assert {item["dataset"] for item in together["evidence"]} >= {"NIH", "PadChest", "CheXpert"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "atelectasi"), 3, "did you mean 'atelectasis'?"),
        (("show", "qqzz"), 3, "no name is like it"),
        (("show", "fluid"), 3, "names that hold it: air fluid level"),
        (("show", "atelectasis", "--relation", "isa"), 3, "did you mean 'is_a'?"),
        (("show", "atelectasis", "-g", "nowhere.jsonl"), 3, "nowhere.jsonl"),
        (("show", "atelectasis", "-g", "graph.xls"), 3, "not stored as .xls"),
        (("stats", "--label-set", "nih15"), 3, "did you mean 'nih14'?"),
        (("shwo", "x"), 2, "did you mean 'show'?"),
    ],
)
def test_mistakes_are_told(capsys, words, code, said):
    got, out, err = ran(capsys, *words)
    assert (got, out) == (code, "")
    assert said in err


def test_stats_count_the_shipped_graph(capsys):
    code, out, _ = ran(capsys, "stats", "--json")
    known = json.loads(out)
    assert (code, known["concepts"], known["edges"]) == (0, 987, 4633)
    assert known["kinds"]["finding"] == 396
    code, out, _ = ran(capsys, "stats")
    assert "member_of\t868" in out


@pytest.mark.parametrize(
    ("name", "labels"), [("chexpert14", 14), ("nih14", 15), ("padchest", 173), ("vinbigdata15", 15)]
)
def test_the_label_sets_of_the_field_are_covered(capsys, name, labels):
    _, out, err = ran(capsys, "stats", "--label-set", name, "--json")
    known = json.loads(out)
    assert known["labels"] == known["covered"] == labels
    without = [row["label"] for row in known["rows"] if not row["edges"]]
    assert without == (["excluded study"] if name == "padchest" else [])


def test_labels_of_a_file_are_looked_up_by_name(capsys, tmp_path):
    (tmp_path / "labels.txt").write_text("Pleural Effusion\n\nmartian lung\n")
    _, out, err = ran(capsys, "stats", "--labels", str(tmp_path / "labels.txt"))
    assert "Pleural Effusion\tckg:pleural_effusion" in out
    assert "martian lung\t-" in out
    assert "1 of 2 labels" in err


@pytest.mark.parametrize("words", [["show", "atelectasis"], ["stats"], ["--help"]])
def test_reading_commands_load_nothing_heavy(words, processes):
    script = (
        "import sys\nfrom experiments.cli.main import main\n"
        f"code = main(['graph', *{words!r}])\n"
        f"print(code, [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = processes.python(script)
    assert done.stderr.splitlines()[-1] == "0 []"


def test_export_writes_by_the_ending(capsys, tmp_path):
    out = tmp_path / "a.mmd"
    code, _, err = ran(capsys, "export", "-o", str(out), "--around", "atelectasis", "--relation",
                       "is_a")  # fmt: skip
    assert code == 0
    assert "Lung Opacity" in out.read_text()
    assert "concepts" in err
    table = tmp_path / "c.csv"
    assert ran(capsys, "export", "-o", str(table), "--set", "table=concepts")[0] == 0
    assert len(table.read_text().splitlines()) >= 988


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "x.doc"), "no export format called 'doc'"),
        (("-o", "x.csv", "--set", "tabel=edges"), "did you mean 'table'?"),
        (("-o", "x.csv", "--set", "table=nodes"), "table"),
        (("-o", "nowhere/x.csv"), "nowhere"),
    ],
)
def test_export_says_what_it_cannot(capsys, monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = ran(capsys, "export", *words)
    assert code == 3
    assert said in err
    assert list(tmp_path.iterdir()) == []


RECIPE = """name: own
sources:
  - name: triples
    options: {file: a.tsv, source: notes, kind: finding, relations: {is: is_a}}
  - name: triples
    options: {file: b.tsv, source: table, kind: finding, relations: {with: co_occurs_with},
              status: mined, dataset: Mine}
"""


def test_build_counts_what_is_taken_and_what_is_not(capsys, tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    (tmp_path / "a.tsv").write_text("lobar pneumonia\tis\tpneumonia\npneumonia\tis\tpneumonia\n")
    (tmp_path / "b.tsv").write_text("Pneumonia\twith\tfever\nfever\twith\tpneumonia\n")
    out = tmp_path / "g.jsonl"
    words = ("build", str(tmp_path / "r.yaml"), "-o", str(out))
    code, text, err = ran(capsys, *words)
    assert code == 0
    assert "triples a.tsv\t2\t0\t2\t1\t1\t1" in text
    assert "triples a.tsv\ttriple whose ends are one concept\t1" in text
    assert "3 concepts, 2 edges" in err
    code, text, _ = ran(capsys, *words, "--without-dataset", "Mine", "--json")
    known = json.loads(text)
    assert (known["concepts"], known["edges"]) == (2, 1)
    assert known["left_out"][0]["evidence"] == 1
    assert ran(capsys, *words, "--without-dataset", "Mien")[0] == 3
    assert ran(capsys, "stats", "-g", str(out))[0] == 0


def test_conflicts_are_listed_beside_the_graph(capsys, tmp_path):
    out = tmp_path / "g.ttl"
    code, _, err = ran(capsys, "build", "clinical", "-o", str(out))
    assert code == 0
    listed = (tmp_path / "g.ttl.conflicts.tsv").read_text().splitlines()
    assert listed[0] == "kind\tabout\tmessage"
    assert len(listed) == 1 + 8 + 20 + 18
    assert "20 conflicts shared_xref" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nsources: [{name: obbo}]\n", "did you mean 'obo'?"),
        ("name: x\nsources: [{name: obo, options: {fiel: a}}]\n", "did you mean 'file'?"),
        ("name: x\nsources: [{name: obo, options: {file: a}}]\n", "options.source"),
        ("name: x\nsources: []\njoin_by: [names]\n", "join_by"),
        ("nmae: x\nsources: []\n", "did you mean 'name'?"),
        ("name: &a [*a]\n", "recipe"),
    ],
)
def test_mistakes_in_a_recipe_are_told(capsys, tmp_path, text, said):
    (tmp_path / "recipe.yaml").write_text(text)
    out = tmp_path / "g.jsonl"
    code, _, err = ran(capsys, "build", str(tmp_path / "recipe.yaml"), "-o", str(out))
    assert code == 3
    assert said in err
    assert not out.exists()


def faulty(tmp_path):
    """The shipped graph with one edge that dangles."""
    from kg.files.store import SHIPPED

    lines = SHIPPED.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if '"record": "edge"' in line)
    lines[place] = lines[place].replace('"object": "', '"object": "no:')
    path = tmp_path / "g.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_validate_answers_by_its_exit_code_and_always_reports(capsys, tmp_path):
    path, report = faulty(tmp_path), tmp_path / "r.tsv"
    code, out, err = ran(capsys, "validate", str(path), "--no-shapes", "-o", str(report))
    assert code == 1
    assert "error\tdangling_id" in out
    assert "there is no concept no:" in report.read_text()
    assert "faults of dangling_id" in err
    assert ran(capsys, "validate", str(path), "--no-shapes", "--fail-on", "never")[0] == 0
    assert ran(capsys, "validate", "--no-shapes")[0] == 0
    assert ran(capsys, "validate", "--no-shapes", "--fail-on", "warning")[0] == 1
    code, out, _ = ran(capsys, "validate", "--no-shapes", "--json")
    assert json.loads(out)["counts"]["error"] == 0


def test_validate_refuses_what_it_cannot_read(capsys, tmp_path):
    (tmp_path / "g.jsonl").write_text("{")
    assert ran(capsys, "validate", str(tmp_path / "g.jsonl"))[0] == 3
    assert ran(capsys, "validate", str(tmp_path / "none.jsonl"))[0] == 3
    assert ran(capsys, "validate", "-o", str(tmp_path / "r.doc"))[0] == 3
    code, out, _ = ran(capsys, "validate", "--rules")
    assert (code, "is_a_cycle\terror" in out) == (0, True)


def test_path_explain_and_diff(capsys, tmp_path):
    code, out, _ = ran(capsys, "path", "covid_19", "atelectasis", "--limit", "1", "--evidence")
    assert code == 0
    assert out.startswith("COVID-19  ckg:covid_19\n")
    assert "asserted: " in out
    assert ran(capsys, "path", "covid_19", "atelectasis", "--longest", "1")[0] == 1
    code, out, _ = ran(capsys, "explain", "atelectasis", "is_a", "Lung Opacity")
    assert (code, "  - asserted: paper Irvin 2019" in out) == (0, True)
    code, _, err = ran(capsys, "explain", "lung", "is_a", "atelectasis")
    assert (code, "neither states nor entails" in err) == (1, True)
    out = tmp_path / "w.jsonl"
    ran(capsys, "build", "clinical", "-o", str(out), "--without-dataset", "POCUS")
    code, text, _ = ran(capsys, "diff", str(out), "--json")
    found = json.loads(text)
    assert (code, found["same"], found["gone_edges"]) == (0, False, [])
    assert len(found["new_edges"]) > 0
    code, text, err = ran(capsys, "diff", str(out), "--limit", "1")
    assert "new edges\t" in text
    assert "more: --limit 0" in err


def test_query_prints_saves_and_writes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subclass = "<http://www.w3.org/2000/01/rdf-schema#subClassOf>"
    (tmp_path / "g.nt").write_text(f"<urn:ckg:croup> {subclass} <urn:ckg:cold> .\n")
    ask = "SELECT ?wide { ckg:croup rdfs:subClassOf ?wide }"
    assert ran(capsys, "query", ask, "-g", "g.nt")[1] == "wide\nckg:cold\n"
    assert ran(capsys, "query", ask, "--save", "above")[0] == 0
    assert ran(capsys, "query", "above", "-g", "g.nt", "-o", "a.csv")[0] == 0
    assert (tmp_path / "a.csv").read_text() == "wide\nckg:cold\n"
    assert "above\tabove" in ran(capsys, "query", "--list")[1]
    words = ("query", "findings_of", "--bind", "concept=cystic fibrosis", "--json")
    rows = json.loads(ran(capsys, *words)[1])["rows"]
    assert {"Asthma", "Cirrhosis"} <= {row["label"] for row in rows}
    for wrong, code in (
        (("query",), 2),
        (("query", "abvoe"), 3),
        (("query", "SELECT {", "-g", "g.nt"), 3),
        (("query", ask, "-g", "g.nt", "-o", "a.doc"), 3),
        (("query", "findings_of"), 3),
        (("query", "findings_of", "--bind", "concept=http://not an iri"), 3),
        (("query", ask, "--timeout", "0"), 2),
    ):
        assert ran(capsys, *wrong)[0] == code


def test_a_folder_called_kg_beside_the_user_is_not_ours(capsys, tmp_path, monkeypatch):
    (tmp_path / "kg").mkdir()
    (tmp_path / "kg" / "__init__.py").write_text("raise SystemExit('not yours')")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.nt").write_text("<urn:a> <urn:b> <urn:c> .\n")
    assert ran(capsys, "query", "ASK { ?s ?p ?o }", "-g", "g.nt")[1] == "answer\nyes\n"


def test_an_edited_graph_is_used_only_when_allowed(tmp_path, capsys):
    from kg.files.store import load_shipped, save

    path = tmp_path / "g.jsonl"
    save(load_shipped(), path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"Atelectasis"', '"collapse"'), encoding="utf-8")
    query = "ASK { ?s rdfs:label 'collapse' }"
    for command in (["stats", "-g", str(path)], ["query", query, "-g", str(path)]):
        assert main(["graph", *command]) == 3
        assert "--allow-edited" in capsys.readouterr().err
        assert main(["graph", *command, "--allow-edited"]) == 0
    assert capsys.readouterr().out.strip().endswith("yes")
    assert main(["graph", "diff", str(path), "--allow-edited"]) == 0
