"""Leaving data sets or sources out of a built graph, with everything known from them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kg.build.provenance import Registry
from kg.controls.graph_controls import without_dataset, without_source
from kg.errors import InputError, did_you_mean
from kg.files.store import SHIPPED
from kg.model.graph import KnowledgeGraph


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Content that left the graph with a data set or source.

    Args:
        what: The data set (with its names) or source.
        concepts: Concepts known from nothing else.
        edges: Edges without other evidence.
        evidence: Items of evidence.
    """

    what: str
    concepts: int
    edges: int
    evidence: int


def leave_out(
    graph: KnowledgeGraph, datasets: Sequence[str] = (), sources: Sequence[str] = ()
) -> tuple[KnowledgeGraph, list[LeftOut]]:
    """The graph without the evidence of these data sets and sources.

    An edge goes only when no evidence is left. A data set is left out under every name that the
    registry of sources has for it.

    Args:
        graph: The graph.
        datasets: Names of data sets as in evidence.
        sources: Substrings of source texts.

    Raises:
        InputError: If nothing in the graph is from one of them.
    """
    registry = Registry.read(SHIPPED.parent / "sources.yaml")
    done = []
    for dataset in datasets:
        known = mined_from(graph)
        names = registry.names_of(dataset)
        if known.isdisjoint(names):
            raise InputError(
                f"nothing in {graph.name} is from a data set {dataset!r}",
                did_you_mean(dataset, known),
            )
        after = without_dataset(graph, names)
        done.append(_difference(", ".join(sorted(names & known)), graph, after))
        graph = after
    for source in sources:
        after = without_source(graph, source)
        done.append(_difference(source, graph, after))
        graph = after
    return graph, done


def mined_from(graph: KnowledgeGraph) -> set[str]:
    """Names of the data sets that anything in a graph was mined from."""
    names = {item.dataset for edge in graph.edges for item in edge.evidence}
    names |= {concept.dataset for concept in graph.concepts}
    names |= {phrase.dataset for concept in graph.concepts for phrase in concept.phrases}
    return {name for name in names if name}


def _difference(what: str, before: KnowledgeGraph, after: KnowledgeGraph) -> LeftOut:
    return LeftOut(
        what,
        len(before.concepts) - len(after.concepts),
        len(before.edges) - len(after.edges),
        _items(before) - _items(after),
    )


def _items(graph: KnowledgeGraph) -> int:
    return sum(len(edge.evidence) for edge in graph.edges)
