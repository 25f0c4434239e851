"""The planted worlds: labels follow the graph's edges in `linked`, and nothing in `unlinked`."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2

from experiments.synthetic.labels import stated_labels, true_concepts
from experiments.synthetic.links import Links, strength_of
from experiments.synthetic.repertoire import DISEASES, FINDINGS, NO_FINDING, SITES
from experiments.synthetic.rules import Rules
from experiments.synthetic.world import Case, sample
from kg.files.store import load_shipped
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

CHEST = dict(studies=1500, cxr=1.0, ct=0.0, healthy=0.0, seed=11)


def edge(
    subject: str, relation: str, object_: str, weight: float | None = None, detail: str = ""
) -> Edge:
    evidence = Evidence("made up", "test", "asserted", weight=weight, detail=detail)
    return Edge(f"ckg:{subject}", relation, f"ckg:{object_}", (evidence,))


@pytest.fixture(scope="module")
def small() -> KnowledgeGraph:
    edges = (
        edge("covid_19", "has_phenotype", "ground_glass_opacity", 0.7),
        edge("consolidation", "suggestive_of", "covid_19", 0.4),
        edge("covid_19", "has_symptom", "fever", 0.6),
        edge(
            "ground_glass_opacity", "co_occurs_with", "pleural_effusion", detail="lift=4;npmi=0.3"
        ),
        edge("consolidation", "located_in", "left_upper_lobe"),
        edge("covid_19", "is_a", "viral_pneumonia"),
    )
    ends = {end for e in edges for end in (e.subject, e.object)}
    return KnowledgeGraph(tuple(Concept(c, c[4:], "finding") for c in sorted(ends)), edges)


@pytest.fixture(scope="module")
def shipped() -> Links:
    return Links(load_shipped())


@pytest.fixture(scope="module")
def linked(shipped: Links) -> list[Case]:
    return sample(Rules(world="linked", **CHEST), shipped)


@pytest.fixture(scope="module")
def unlinked(shipped: Links) -> list[Case]:
    return sample(Rules(world="unlinked", **CHEST), shipped)


def presence(cases: list[Case], modality: str = "cxr") -> dict[str, np.ndarray]:
    """A column of 0 and 1 for each disease and finding."""
    columns = {
        concept: np.array([float(any(f.concept == concept for f in c.findings)) for c in cases])
        for concept in FINDINGS[modality]
    }
    diseases = {
        concept: np.array([float(case.disease == concept) for case in cases])
        for concept in DISEASES[modality]
    }
    return {**columns, **diseases}


def scores(cases: list[Case], pairs: list[tuple[str, str]]) -> np.ndarray:
    """Correlation of each pair in units of its spread under independence."""
    columns = presence(cases)
    return np.array(
        [np.corrcoef(columns[a], columns[b])[0, 1] * np.sqrt(len(cases)) for a, b in pairs]
    )


def pairs_of(links: Links) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs of a disease or finding with a finding: those with an edge, and the others."""
    findings = list(FINDINGS["cxr"])
    joined = {(d, link.concept) for d in DISEASES["cxr"] for link in links.shown_by(d, findings)}
    for finding in findings:
        for link in links.seen_with(finding, findings):
            joined.add(tuple(sorted((finding, link.concept))))  # type: ignore[arg-type]
    every = [tuple(sorted(pair)) for pair in combinations(findings, 2)]
    every += [(d, f) for d in DISEASES["cxr"] for f in findings]
    return sorted(joined), sorted(set(every) - joined)  # type: ignore[arg-type,return-value]


def test_labels_follow_edges_in_the_linked_world(shipped: Links, linked: list[Case]) -> None:
    with_edge, without = pairs_of(shipped)
    assert len(with_edge) > 40
    joined, apart = scores(linked, with_edge), scores(linked, without)
    assert joined.mean() > 3
    assert joined.mean() > apart.mean() + 3
    assert chi2.sf((joined**2).sum(), len(joined)) < 1e-12


def test_nothing_follows_edges_in_the_unlinked_world(shipped: Links, unlinked: list[Case]) -> None:
    with_edge, without = pairs_of(shipped)
    joined, apart = scores(unlinked, with_edge), scores(unlinked, without)
    assert abs(joined.mean()) < 3 / np.sqrt(len(joined))
    assert chi2.sf((joined**2).sum(), len(joined)) > 0.01
    assert (np.abs(joined) > 1.96).mean() < 0.12
    assert abs(joined.mean() - apart.mean()) < 0.5
    assert not any(case.edges for case in unlinked)


def test_both_worlds_have_the_same_frequencies(linked: list[Case], unlinked: list[Case]) -> None:
    first, second = presence(linked), presence(unlinked)
    assert {k: v.sum() for k, v in first.items()} == {k: v.sum() for k, v in second.items()}
    assert Counter(s for c in linked for s in c.symptoms) == Counter(
        s for c in unlinked for s in c.symptoms
    )


def test_dependence_grows_with_the_strength(shipped: Links) -> None:
    with_edge, _ = pairs_of(shipped)
    means = []
    for strength in (0.0, 0.3, 0.9):
        cases = sample(Rules(world="linked", strength=strength, **CHEST), shipped)
        means.append(scores(cases, with_edge).mean())
    assert means[0] < 1.2
    assert means[0] < means[1] < means[2]


def test_a_hidden_share_is_known_through_edges_alone(linked: list[Case]) -> None:
    shown = [finding.shown for case in linked for finding in case.findings]
    assert 0.27 < 1 - np.mean(shown) < 0.33


def test_the_plain_world_shows_all(shipped: Links) -> None:
    cases = sample(Rules(studies=100), shipped)
    assert all(finding.shown for case in cases for finding in case.findings)


def test_frequencies_are_those_of_the_model(small: KnowledgeGraph) -> None:
    cases = sample(Rules(strength=0.5, **CHEST), Links(small))
    covid = [case for case in cases if case.disease == "ckg:covid_19"]
    kinds = FINDINGS["cxr"]
    rate = kinds["ckg:ground_glass_opacity"].rate
    glass = rate + 0.5 * 0.7 * (1 - rate)
    dense = kinds["ckg:consolidation"].rate
    dense = dense + 0.5 * 0.4 * (1 - dense)
    nothing = (1 - glass) * (1 - dense) * (1 - kinds["ckg:pleural_effusion"].rate)
    columns = presence(covid)
    assert abs(columns["ckg:ground_glass_opacity"].mean() - (glass + nothing)) < 0.08
    assert abs(columns["ckg:consolidation"].mean() - dense) < 0.08
    others = presence([case for case in cases if case.disease is None])
    assert abs(others["ckg:ground_glass_opacity"].mean() - rate) < 0.02
    fever = np.mean(["ckg:fever" in case.symptoms for case in covid])
    assert abs(fever - (0.06 + 0.5 * 0.6 * 0.94)) < 0.09


def test_only_what_the_graph_knows_is_drawn(small: KnowledgeGraph) -> None:
    cases = sample(Rules(world="linked", **CHEST), Links(small))
    assert {f.concept for case in cases for f in case.findings} == {
        "ckg:ground_glass_opacity",
        "ckg:consolidation",
        "ckg:pleural_effusion",
    }
    assert {case.disease for case in cases} == {None, "ckg:covid_19", "ckg:viral_pneumonia"}


def test_edges_in_the_truth_are_edges_of_the_graph(shipped: Links, linked: list[Case]) -> None:
    known = {(e.subject, e.relation, e.object) for e in shipped.graph.edges}
    used = {e for case in linked for e in case.edges}
    assert used <= known
    assert {relation for _, relation, _ in used} == {
        "has_phenotype",
        "suggestive_of",
        "has_symptom",
        "co_occurs_with",
        "located_in",
    }


def test_a_site_decides_the_place(small: KnowledgeGraph, shipped: Links) -> None:
    cases = sample(Rules(**CHEST), Links(small))
    places = {
        (f.side, f.zone) for c in cases for f in c.findings if f.concept == "ckg:consolidation"
    }
    assert places == {("left", "upper")}
    for case in sample(Rules(**CHEST), shipped):
        for finding in case.findings:
            zones = {
                SITES[o][0]
                for s, relation, o in case.edges
                if s == finding.concept and relation == "located_in"
            }
            assert not zones or finding.zone in zones


def test_what_holds_entails_what_it_is_a_kind_of(small: KnowledgeGraph) -> None:
    cases = sample(Rules(**CHEST), Links(small))
    for case in cases:
        true = true_concepts(case, small)
        assert ("ckg:viral_pneumonia" in true) == (
            case.disease in ("ckg:covid_19", "ckg:viral_pneumonia")
        )
        assert (NO_FINDING in true) == (not case.disease and not case.findings)
        labels = stated_labels(case, true, "covid")
        assert (labels["ckg:covid_19"] == "absent") == ("ckg:covid_19" not in true)


@pytest.mark.parametrize(
    ("weight", "detail", "expected"),
    [
        (0.437, "freq=0.437", 0.437),
        (None, "", 0.5),
        (None, "Very frequent", 0.9),
        (4.1, "lift=4.1;npmi=0.3", 0.3),
        (7.6, "OR=7.60", 0.5),
        (None, "lift=0.5;npmi=-0.2", 0.5),
    ],
)
def test_the_strength_of_an_edge(weight: float | None, detail: str, expected: float) -> None:
    assert strength_of(edge("a", "has_phenotype", "b", weight, detail)) == pytest.approx(expected)
