"""The recipe builds the shipped graph, curated and cited; bad recipes are refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

import kg.build.recipe
from kg.build.curation import Curation
from kg.build.provenance import Registry
from kg.build.recipe import build
from kg.errors import InputError
from kg.files.store import SHIPPED

FOLDER = SHIPPED.parent

CONCEPTS = "id\tpreferred_label\tkind\tsynonyms\tlabel_sets\txrefs\tsource\n"
RELATIONS = "subject\trelation\tobject\tsource\tevidence\tweight\tcount\n"


@pytest.fixture(scope="module")
def built() -> kg.build.recipe.BuildResult:
    return build(FOLDER / "recipe.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(
        "name: small\nsources:\n  - name: facts\n    options: {concepts: c.tsv, relations: r.tsv}\n"
    )
    (tmp_path / "c.tsv").write_text(
        CONCEPTS + "ckg:a\tA\tfinding\tx\t\tHP:1\tbook\nckg:b\tB\tfinding\tx\t\tHP:1\tbook\n"
    )
    (tmp_path / "r.tsv").write_text(
        RELATIONS + "ckg:b\tskos:broader\tckg:a\tbook\tcurated\t\t\n"
        "ckg:b\tckg:co_occurs_with\tckg:a\tbook\tcurated\t0.5\t2\n"
        "ckg:a\tckg:co_occurs_with\tckg:b\tpaper\tcurated\t0.25\t\n"
    )
    return tmp_path


def test_the_recipe_gives_the_shipped_graph(built, shipped):
    # After a change of the facts:
    # kg.files.store.save(kg.build.recipe.build(recipe).graph, kg.files.store.SHIPPED)
    assert built.graph.fingerprint == shipped.fingerprint
    assert built.graph.name == "clinical"


def test_counts_of_the_shipped_graph(shipped):
    assert (len(shipped.concepts), len(shipped.edges)) == (987, 4633)
    by_relation = {r: sum(e.relation == r for e in shipped.edges) for r in shipped.relations}
    assert by_relation["is_a"] == 404
    assert by_relation["grouped_under"] == 79
    assert by_relation["co_occurs_with"] == 539
    assert by_relation["member_of"] == 868


def test_findings_are_defined_with_a_registered_source(shipped):
    findings = [c for c in shipped.concepts if c.kind == "finding"]
    assert sum(bool(c.definition) for c in findings) >= 0.6 * len(findings)
    for name in ("nih14", "chexpert14", "covid", "pocus4", "zhang2020"):
        undefined = [
            f for f in shipped.label_set(name).findings if not shipped.concept(f).definition
        ]
        assert undefined == [], name
    registry = Registry.read(FOLDER / "sources.yaml")
    defined = [c for c in shipped.concepts if c.definition]
    assert [
        c.id for c in defined if registry.find(c.definition_source) not in registry.entries
    ] == []
    # The text of a term that goes by the concept's name, word for word.
    effusion = shipped.concept("ckg:pleural_effusion")
    assert effusion.definition == (
        "The presence of an excessive amount of fluid in the pleural cavity."
    )
    assert effusion.definition_source.startswith("HP:0002202 ")


def test_conflicts_are_listed(built):
    kinds = [conflict.kind for conflict in built.conflicts]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "judged": 8,
        "shared_xref": 20,
        "unknown_concept": 18,
    }


def test_every_fact_of_the_tables_is_in_the_graph(shipped):
    lines = (FOLDER / "relations.tsv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = {(edge.subject, edge.object) for edge in shipped.edges}
    pairs |= {(edge.object, edge.subject) for edge in shipped.edges}
    lost = {tuple(line.split("\t")[0:3:2]) for line in lines} - pairs
    # Of the eight whose object a verdict replaced, one pair still co-occurs.
    assert len(lost) == 7


@pytest.mark.parametrize(
    ("child", "relation", "parent", "label_set"),
    [
        ("pneumonia", "grouped_under", "consolidation", "chexpert14"),
        ("cardiomegaly", "grouped_under", "enlarged_cardiomediastinum", "chexpert14"),
        ("hiatal_hernia", "grouped_under", "mediastinal_enlargement", "padchest"),
        ("covid_19", "grouped_under", "viral_pneumonia", "padchest_differential"),
        ("basal", "grouped_under", "lower_lung_field", "padchest_locations"),
        ("pulmonary_edema", "is_a", "lung_opacity", None),
        ("consolidation", "is_a", "lung_opacity", None),
        ("viral_pneumonia", "is_a", "pneumonia", None),
        ("aspiration_pneumonia", "is_a", "pneumonia", None),
        ("interstitial_lung_disease", "has_phenotype", "lung_opacity", None),
    ],
)
def test_broader_is_sorted_into_entailment_and_convention(
    shipped, child, relation, parent, label_set
):
    between = [
        (edge.relation, edge.label_set)
        for edge in shipped.edges_of(f"ckg:{child}")
        if edge.subject == f"ckg:{child}" and edge.object == f"ckg:{parent}"
    ]
    assert (relation, label_set) in between
    assert relation == "is_a" or ("is_a", None) not in between


def test_every_verdict_gives_a_reason_and_is_used(built):
    curation = Curation.read(FOLDER / "curation.tsv")
    assert all(verdict.why for verdict in curation.verdicts.values())
    assert not [c for c in built.conflicts if c.kind == "unused_judgement"]


def test_no_snomed_and_every_edge_has_a_registered_source(shipped):
    assert not [x for c in shipped.concepts for x in c.xrefs if x.startswith("SNOMEDCT")]
    registry = Registry.read(FOLDER / "sources.yaml")
    sources = {item.source for edge in shipped.edges for item in edge.evidence}
    unknown = [source for source in sources if registry.find(source) not in registry.entries]
    assert unknown == []


def test_citations_name_every_registered_source():
    text = (FOLDER / "CITATIONS.md").read_text(encoding="utf-8")
    registry = Registry.read(FOLDER / "sources.yaml")
    assert [entry.name for entry in registry.entries if f"| {entry.name} |" not in text] == []


def test_label_sets(shipped):
    nih = shipped.label_set("nih14")
    assert nih.columns == (
        "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
        "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening",
        "Hernia", "normal",
    )  # fmt: skip
    assert nih.no_finding == nih.findings[-1] == "ckg:no_finding"
    chexpert = shipped.label_set("chexpert14")
    assert len(chexpert.findings) == 14
    assert chexpert.with_no_finding == ("ckg:support_devices",)
    covid = shipped.label_set("covid")
    assert (covid.findings, covid.columns) == (("ckg:covid_19",), ("COVID-19",))
    pocus = shipped.label_set("pocus4")
    assert pocus.exclusive
    assert pocus.columns == ("regular", "bacterial pneumonia", "viral pneumonia", "COVID-19")
    assert shipped.label_set("ckg:label_set_nih_14") is nih


def test_no_finding_excludes_the_abnormalities_of_its_sets(shipped):
    excluded = {
        edge.object if edge.subject == "ckg:no_finding" else edge.subject
        for edge in shipped.edges_of("ckg:no_finding", "disjoint_with")
    }
    for name in ("chexpert14", "nih14", "vinbigdata15"):
        label_set = shipped.label_set(name)
        allowed = {"ckg:no_finding", *label_set.with_no_finding}
        assert set(label_set.findings) - allowed <= excluded
    assert "ckg:support_devices" not in excluded


def test_two_sources_of_one_edge_become_two_items_of_evidence(folder):
    result = build(folder / "recipe.yaml")
    (edge,) = [e for e in result.graph.edges if e.relation == "co_occurs_with"]
    assert (edge.subject, edge.object) == ("ckg:a", "ckg:b")
    assert [(item.source, item.weight) for item in edge.evidence] == [
        ("book", 0.5),
        ("paper", 0.25),
    ]
    assert [(c.kind, c.about) for c in result.conflicts] == [
        ("shared_name", "x"),
        ("shared_xref", "HP:1"),
    ]


def test_sources_that_contradict_each_other_are_listed_and_the_first_kept(folder):
    (folder / "more.tsv").write_text(CONCEPTS + "ckg:a\tother\tdisease\ty\t\t\tpaper\n")
    recipe = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(
        f"{recipe}  - name: facts\n    options: {{concepts: more.tsv}}\n"
    )
    result = build(folder / "recipe.yaml")
    concept = result.graph.concept("ckg:a")
    assert (concept.label, concept.kind, concept.source) == ("A", "finding", "book || paper")
    assert concept.synonyms == ("other", "x", "y")
    assert {c.kind for c in result.conflicts} >= {"two_labels", "two_kinds"}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("recipe.yaml", "name: [", r"recipe.yaml, line 1"),
        ("recipe.yaml", "- 1\n", "is not a recipe"),
        ("recipe.yaml", "name: x\nsources: []\nsauce: 1\n", "no such key"),
        ("recipe.yaml", "name: x\nsources: [{name: fact}]\n", "no source called 'fact'"),
        ("recipe.yaml", "name: x\nsources: [{name: facts, options: {concept: c}}]\n", "concept"),
        ("recipe.yaml", "name: !!python/object:os.system x\n", "recipe.yaml, line 1"),
        ("c.tsv", "id\tkind\n", "c.tsv, line 1: no column preferred_label"),
        ("c.tsv", CONCEPTS + "ckg:a\tA\n", "c.tsv, line 2: 2 cells under 7 columns"),
        (
            "r.tsv",
            RELATIONS + "ckg:a\tis\tckg:b\tbook\tcurated\t\t\n",
            "r.tsv, line 2: no relation",
        ),
        ("r.tsv", RELATIONS + "ckg:a\tskos:broader\tckg:z\tb\tcurated\t\t\n", "no concept ckg:z"),
    ],
)
def test_bad_recipes_and_tables_are_refused(folder, file, content, message):
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=message):
        build(folder / "recipe.yaml")


def test_missing_and_undecodable_files_are_refused(folder):
    (folder / "c.tsv").write_bytes(b"id\n\xff\xfe")
    with pytest.raises(InputError, match="c.tsv, line 2: is not UTF-8"):
        build(folder / "recipe.yaml")
    (folder / "c.tsv").unlink()
    with pytest.raises(InputError, match="no such file"):
        build(folder / "recipe.yaml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a\tskos:broader\tb\tgrouped\t\t\twhy", "no verdict 'grouped'"),
        ("a\tskos:broader\tb\tgrouped_under\t\t\twhy", "names a label set"),
        ("a\tskos:broader\tb\tis_a\t\tx\twhy", "names a label set"),
    ],
)
def test_bad_verdicts_are_refused(tmp_path, line, message):
    table = tmp_path / "j.tsv"
    table.write_text(f"subject\trelation\tobject\tverdict\tnew_object\tlabel_set\twhy\n{line}\n")
    with pytest.raises(InputError, match=message):
        Curation.read(table)


@pytest.mark.parametrize("key", ["fixes", "mends"])
def test_a_fix_that_changes_nothing_is_refused(folder, key):
    (folder / "m.tsv").write_text("concept\tfield\tvalue\twhy\nckg:a\tnot_called\tzzz\tno\n")
    recipe = (folder / "recipe.yaml").read_text().replace("c.tsv,", f"c.tsv, {key}: m.tsv,")
    (folder / "recipe.yaml").write_text(recipe)
    with pytest.raises(InputError, match="m.tsv, line 2: changes nothing"):
        build(folder / "recipe.yaml")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: s, concept: ckg:s, source: x, label: S}", "has no findings"),
        ("{name: s, concept: ckg:s, source: x, findings: {A: ckg:a}}", "no concept ckg:s"),
        ("{name: s, concept: ckg:a, source: x, findings: {A: ckg:z}}", "no concept ckg:z"),
        (
            "{name: s, concept: ckg:a, source: x, findings: {A: ckg:a}, no_finding: ckg:b}",
            "not one",
        ),
    ],
)
def test_bad_label_sets_are_refused(folder, entry, message):
    (folder / "sets.yaml").write_text(f"label_sets:\n  - {entry}\n")
    recipe = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(
        f"{recipe}  - name: label_sets\n    options: {{table: sets.yaml}}\n"
    )
    with pytest.raises(InputError, match=message):
        build(folder / "recipe.yaml")
