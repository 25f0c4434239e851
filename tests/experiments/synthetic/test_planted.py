"""The worlds of text alone: the same studies and labels, stated along edges or along none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from experiments.datasets.synthetic import Synthetic
from experiments.synthetic.planted import (
    MENTIONS,
    RATE,
    TIES,
    Signs,
    graph_of,
    planted_truths,
    signs_of,
)
from experiments.synthetic.rules import Rules
from experiments.synthetic.truth import Truth
from kg.errors import InputError
from kg.files.store import load, load_shipped, save
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph

STUDIES = 2000


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return graph_of(load_shipped())


def truths(graph: KnowledgeGraph, world: str, strength: float = 0.8) -> list[Truth]:
    rules = Rules(studies=STUDIES, seed=5, world=world, strength=strength)
    return list(planted_truths(rules, graph))


@pytest.fixture(scope="module")
def planted(graph: KnowledgeGraph) -> list[Truth]:
    return truths(graph, "planted")


@pytest.fixture(scope="module")
def unplanted(graph: KnowledgeGraph) -> list[Truth]:
    return truths(graph, "unplanted")


def told(truth: Truth) -> list[str]:
    return [concept for *_, concept, _ in truth["report"]["statements"]]


def dependence(found: list[Truth], signs: Signs) -> np.ndarray:
    """Squared correlation times studies of every sign `[P]` and finding `[C]`: chi2 of a table."""
    pool = sorted(sign for several in signs.values() for sign in several)
    said = np.array([[sign in told(truth) for sign in pool] for truth in found], dtype=float)
    held = np.array(
        [[truth["labels"]["nih14"][f] == "present" for f in signs] for truth in found], dtype=float
    )
    both = np.corrcoef(said.T, held.T)[: len(pool), len(pool) :]
    return np.asarray(both**2 * len(found))


def tied(signs: Signs) -> np.ndarray:
    pool = sorted(sign for several in signs.values() for sign in several)
    return np.array([[sign in several for several in signs.values()] for sign in pool])


def test_both_worlds_have_the_same_labels_and_the_same_frequencies(
    planted: list[Truth], unplanted: list[Truth]
) -> None:
    assert [t["labels"] for t in planted] == [t["labels"] for t in unplanted]
    first, second = (Counter(s for t in world for s in told(t)) for world in (planted, unplanted))
    assert sorted(first.values()) == sorted(second.values())
    assert set(first) == set(second)
    assert sum(first.values()) / len(planted) == pytest.approx(MENTIONS, rel=0.03)


def test_labels_depend_on_edges_in_the_planted_world_alone(
    graph: KnowledgeGraph, planted: list[Truth], unplanted: list[Truth]
) -> None:
    signs = signs_of(graph)
    edges = tied(signs)
    along = dependence(planted, signs)[edges]
    assert len(along) == 63
    assert chi2.sf(along.sum(), len(along)) < 1e-100
    assert along.min() > chi2.isf(0.001, 1)
    none = dependence(unplanted, signs)[edges]
    assert chi2.sf(none.sum(), len(none)) > 0.01
    assert none.max() < along.min()
    # what the planted world has along edges, the other one has along pairs that are none
    elsewhere = np.sort(dependence(unplanted, signs)[~edges])[-len(along) :]
    np.testing.assert_allclose(elsewhere, np.sort(along))


def test_without_strength_nothing_depends(graph: KnowledgeGraph) -> None:
    signs = signs_of(graph)
    every = dependence(truths(graph, "planted", strength=0.0), signs)
    assert chi2.sf(every.sum(), every.size) > 0.01


def test_frequencies_are_those_of_the_model(graph: KnowledgeGraph, planted: list[Truth]) -> None:
    counted: dict[int, list[bool]] = {}
    for truth in planted:
        for finding, several in signs_of(graph).items():
            k = len(set(told(truth)) & set(several))
            counted.setdefault(k, []).append(truth["labels"]["nih14"][finding] == "present")
    assert np.mean(counted[0]) == pytest.approx(RATE, abs=0.01)
    assert np.mean(counted[1]) == pytest.approx(1 - 0.95 * 0.2, abs=0.02)
    assert np.mean(counted[2]) == pytest.approx(1 - 0.95 * 0.04, abs=0.03)


def test_the_graph_of_the_worlds_has_the_ties_alone(graph: KnowledgeGraph, tmp_path: Path) -> None:
    whole = load_shipped()
    signs = signs_of(whole)
    assert signs_of(graph) == signs
    owner = {sign: finding for finding, several in signs.items() for sign in several}
    assert {edge.relation for edge in graph.edges} <= set(TIES)
    for edge in graph.edges:
        assert owner.get(edge.subject, edge.subject) == owner.get(edge.object, edge.object)
    assert {edge.key for edge in graph.edges} <= {edge.key for edge in whole.edges}
    save(graph, tmp_path / "planted.trig")
    assert load(tmp_path / "planted.trig").fingerprint == graph.fingerprint


def test_what_is_stated_is_read(graph: KnowledgeGraph, tmp_path: Path) -> None:
    options = Synthetic.Options(world="planted", studies=200)
    studies = Synthetic(options, graph).studies(tmp_path, labels="nih14")
    found = list(planted_truths(Rules(world="planted", studies=200), graph))
    linker = MentionLinker(graph)
    read = [study_evidence(linker.link(study.report), graph) for study in studies]
    right = sum(
        evidence == dict.fromkeys(told(truth), "present")
        for evidence, truth in zip(read, found, strict=True)
    )
    # one of the 64 signs has a name that is read as another concept's
    assert right > 0.9 * len(found)
    assert not any(study.images for study in studies)
    assert all("view" not in study.metadata for study in studies)
    assert len({study.patient for study in studies}) == len(studies)


def test_a_graph_without_ties_makes_no_world(graph: KnowledgeGraph) -> None:
    with pytest.raises(InputError, match="signs of their own"):
        signs_of(graph.with_edges(()))
