"""The synthetic data set keeps the contract of data sets, and its seed fixes every byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from encoders.study import SECTIONS, SPEAKERS, VIEWS, Study
from experiments.datasets import DATASETS, DataSet
from experiments.datasets.synthetic import Synthetic
from experiments.synthetic.generate import generate, key_of, read_truths
from experiments.synthetic.repertoire import FINDINGS, LABELS, LESIONS
from experiments.synthetic.rules import Rules
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.model.graph import KnowledgeGraph


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, graph: KnowledgeGraph) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    Synthetic(graph=graph).tiny(folder)
    return folder


def read(root: Path, labels: str, graph: KnowledgeGraph, **options: object) -> list[Study]:
    return Synthetic(Synthetic.Options(**options), graph=graph).studies(root, labels=labels)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_is_a_data_set_of_the_catalog() -> None:
    part = DATASETS.load("synthetic")
    assert part is Synthetic
    assert isinstance(part(), DataSet)
    assert {choice.name for choice in part.label_choices} == {*LABELS, "lesions"}


def test_the_label_sets_are_those_of_the_shipped_graph(graph: KnowledgeGraph) -> None:
    for name, (_, findings) in LABELS.items():
        assert graph.label_set(name).findings == findings


@pytest.mark.parametrize("world", ["plain", "linked", "unlinked", "planted", "unplanted"])
def test_the_same_seed_gives_the_same_bytes(
    tmp_path: Path, graph: KnowledgeGraph, world: str
) -> None:
    rules = Rules(studies=8, size=96, world=world, seed=3)
    first, second = tmp_path / "first", tmp_path / "second"
    assert generate(first, rules, graph) == generate(second, rules, graph)
    assert files(first) == files(second)
    assert "truth.jsonl" in files(first)
    other = tmp_path / "other"
    generate(other, rules.model_copy(update={"seed": 4}), graph)
    assert files(other) != files(first)


def test_a_prepared_copy_is_read_as_it_is(copy: Path, graph: KnowledgeGraph) -> None:
    before = files(copy)
    studies = read(copy, "covid", graph)
    assert len(studies) == 24
    assert files(copy) == before


def test_studies_are_whole(copy: Path, graph: KnowledgeGraph) -> None:
    studies = read(copy, "covid", graph)
    assert {image.modality for study in studies for image in study.images} == {
        "cxr",
        "ct",
        "ultrasound",
    }
    assert len({study.study for study in studies}) == 24
    assert len({study.patient for study in studies}) < 24
    for study in studies:
        assert study.dataset == "synthetic"
        assert all(passage.name in SECTIONS and passage.text for passage in study.report)
        assert all(passage.name in SPEAKERS and passage.text for passage in study.dialogue)
        for image in study.images:
            assert image.view in VIEWS
            assert image.view != "unknown"
            with Image.open(copy / image.path) as picture:
                assert picture.mode == "L"
                assert picture.size == (int(study.metadata["width"]), int(study.metadata["height"]))
        assert study.metadata["sex"] in {"F", "M"}
        assert 18 <= int(study.metadata["age"]) <= 95
        assert all(concept in graph.index for concept in {**study.stated, **study.coded})


def test_labels_are_given_by_modality(copy: Path, graph: KnowledgeGraph) -> None:
    chest, ultrasound = read(copy, "nih14", graph), read(copy, "pocus4", graph)
    assert {study.images[0].modality for study in chest} == {"cxr"}
    assert {study.images[0].modality for study in ultrasound} == {"ultrasound"}
    for study in ultrasound:
        assert len(study.stated) == 4
        assert sorted(study.stated.values()) == ["absent", "absent", "absent", "present"]
    for study in chest:
        stated = study.stated
        assert set(stated) <= set(LABELS["nih14"][1])
        if stated.get("ckg:no_finding") == "present":
            others = set(stated) - {"ckg:no_finding"}
            assert "present" not in {stated[concept] for concept in others}


def test_lesions_are_what_is_drawn_and_where(copy: Path, graph: KnowledgeGraph) -> None:
    truths = {truth["study"]: truth for truth in read_truths(copy / "truth.jsonl")}
    studies = read(copy, "lesions", graph)
    assert len(studies) == len(truths)
    for study in studies:
        assert set(study.stated) == set(LESIONS) <= set(graph.index)
        present = {name for name, stated in study.stated.items() if stated == "present"}
        truth = truths[study.study]
        drawn = {finding["concept"] for finding in truth["findings"]}
        drawn |= {wider for concept in drawn for wider in graph.ancestors(concept)}
        assert present & set(FINDINGS["ct"]) == drawn & set(FINDINGS["ct"])
        sides = {finding["side"] for finding in truth["findings"]}
        assert ("ckg:left" in present) == bool(sides & {"left", "both"})
        assert ("ckg:bilateral" in present) == ("both" in sides)


def test_it_is_made_once_for_each_set_of_options(tmp_path: Path, graph: KnowledgeGraph) -> None:
    first = read(tmp_path, "covid", graph, studies=4, size=64)
    made = files(tmp_path)
    assert read(tmp_path, "covid", graph, studies=4, size=64) == first
    assert files(tmp_path) == made
    assert all((tmp_path / image.path).is_file() for study in first for image in study.images)
    read(tmp_path, "covid", graph, studies=4, size=64, seed=1)
    assert len(list((tmp_path / "synthetic").iterdir())) == 2


def test_another_graph_makes_another_copy(graph: KnowledgeGraph) -> None:
    fewer = graph.with_edges(graph.edges[1:])
    assert key_of(Rules(), graph) != key_of(Rules(), fewer)


def test_some_labels_are_uncertain_and_some_are_not_stated(
    tmp_path: Path, graph: KnowledgeGraph
) -> None:
    studies = read(tmp_path, "nih14", graph, studies=60, size=64, cxr=1.0, ct=0.0)
    cells = [study.stated.get(finding) for study in studies for finding in LABELS["nih14"][1]]
    share = {value: cells.count(value) / len(cells) for value in ("uncertain", None, "present")}
    assert 0.005 < share["uncertain"] < 0.06
    assert 0.01 < share[None] < 0.08
    assert 0.05 < share["present"] < 0.3


def test_an_unknown_label_choice_is_refused(copy: Path, graph: KnowledgeGraph) -> None:
    with pytest.raises(InputError, match="nih15") as caught:
        read(copy, "nih15", graph)
    assert "nih14" in caught.value.hint


def test_a_damaged_copy_is_refused_with_its_line(tmp_path: Path, graph: KnowledgeGraph) -> None:
    Synthetic(graph=graph).tiny(tmp_path)
    truth = tmp_path / "truth.jsonl"
    lines = truth.read_text(encoding="utf-8").splitlines()
    truth.write_text("\n".join([lines[0], lines[1][:40]]), encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        read(tmp_path, "covid", graph)


def test_a_root_that_cannot_be_written_is_an_input_error(
    tmp_path: Path, graph: KnowledgeGraph
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        read(blocked, "covid", graph, studies=2, size=64)


@pytest.mark.parametrize("values", [{"studies": 0}, {"strength": 1.5}, {"cxr": 0.8, "ct": 0.4}])
def test_impossible_rules_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="studies|strength|cxr"):
        Synthetic.Options.model_validate(values)
