"""Associations of the made-up world, read from the clinical graph with their strength."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from experiments.synthetic.repertoire import SITES, SYMPTOMS
from kg.model.edges import Edge
from kg.model.graph import KnowledgeGraph

UNWEIGHTED = 0.5
"""Weight of an edge whose sources state none."""

UNWEIGHTED_SYMPTOM = 0.15
"""Weight of a symptom edge whose sources state none: a disease has many, a patient few."""

WORDS = {
    "very frequent": 0.9,
    "frequent": 0.55,
    "occasional": 0.17,
    "very rare": 0.03,
    "rare": 0.03,
    "high": 0.7,
    "very high": 0.85,
    "moderate": 0.5,
}
"""Middle of the range of the frequency words used by phenotype annotations."""


@dataclass(frozen=True, slots=True)
class Link:
    """One step from a concept to another along an edge.

    Args:
        concept: The concept reached.
        weight: Strength in [0, 1].
        edge: Subject, relation and object of the edge as it stands in the graph.
    """

    concept: str
    weight: float
    edge: tuple[str, str, str]


def _link(concept: str, edge: Edge, unweighted: float = UNWEIGHTED) -> Link:
    return Link(concept, strength_of(edge, unweighted), (edge.subject, edge.relation, edge.object))


def strength_of(edge: Edge, unweighted: float = UNWEIGHTED) -> float:
    """Strength of an edge, in [0, 1].

    The mean over its evidence of: the normalised mutual information (`npmi`) where it was mined,
    else a weight in (0, 1], else a frequency word; `unweighted` where no item says anything.
    """
    found = [value for item in edge.evidence if (value := _strength(item.detail, item.weight))]
    return sum(found) / len(found) if found else unweighted


def _strength(detail: str, weight: float | None) -> float | None:
    figures = dict(one.split("=", 1) for one in detail.replace(" ", "").split(";") if "=" in one)
    if "npmi" in figures:
        return min(1.0, max(0.0, float(figures["npmi"])))
    if weight is not None and 0 < weight <= 1:
        return weight
    return WORDS.get(detail.strip().casefold())


@dataclass(frozen=True)
class Links:
    """The steps of a graph that the made-up world uses.

    Args:
        graph: The clinical graph.
    """

    graph: KnowledgeGraph

    def shown_by(self, disease: str, findings: Iterable[str]) -> list[Link]:
        """Findings of a disease: `has_phenotype`, and `suggestive_of` read backwards."""
        wanted = set(findings)
        forward = [
            _link(edge.object, edge)
            for edge in self.graph.edges_of(disease, "has_phenotype")
            if edge.subject == disease and edge.object in wanted
        ]
        backward = [
            _link(edge.subject, edge)
            for edge in self.graph.edges_of(disease, "suggestive_of")
            if edge.object == disease and edge.subject in wanted
        ]
        return _strongest([*forward, *backward])

    def symptoms_of(self, disease: str) -> list[Link]:
        """Symptoms of a disease, its own and those of broader diseases."""
        return _strongest(
            _link(edge.object, edge, UNWEIGHTED_SYMPTOM)
            for name in (disease, *self.graph.ancestors(disease))
            for edge in self.graph.edges_of(name, "has_symptom")
            if edge.subject == name and edge.object in SYMPTOMS
        )

    def seen_with(self, finding: str, findings: Iterable[str]) -> list[Link]:
        """Findings seen together with one."""
        wanted = set(findings)
        pairs = [
            (edge.object if edge.subject == finding else edge.subject, edge)
            for edge in self.graph.edges_of(finding, "co_occurs_with")
        ]
        return _strongest(_link(other, edge) for other, edge in pairs if other in wanted)

    def sites_of(self, finding: str) -> list[Link]:
        """Sites of a finding with a height in the lung."""
        return [
            _link(edge.object, edge)
            for edge in self.graph.edges_of(finding, "located_in")
            if edge.subject == finding and edge.object in SITES
        ]

    @cached_property
    def known(self) -> frozenset[str]:
        """Concepts of the graph."""
        return frozenset(self.graph.index)


def _strongest(links: Iterable[Link]) -> list[Link]:
    """The strongest link to each concept, in the order of ids."""
    best: dict[str, Link] = {}
    for link in links:
        if link.concept not in best or link.weight > best[link.concept].weight:
            best[link.concept] = link
    return [best[concept] for concept in sorted(best)]
