"""KGX: nodes or edges as the tab-separated tables of Biolink knowledge graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from kg.files.shown import cell
from kg.model import biolink
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions

__all__ = ["KgxTable"]


class KgxTable:
    """Writes one of the two tables; the source `kgx` reads them back.

    Columns are those of the Biolink Model, followed by the graph's own. Each item of evidence is a
    row of the edges. As KGX has it, nothing is quoted: a cell has no line end or tab, and the
    items of a list are separated by `|`, which within an item becomes `/`. Phrases and label sets
    have no place in it.

    Args:
        options: The table.
    """

    class Options(BaseOptions):
        """Choice of the table.

        Args:
            table: `nodes` or `edges`.
        """

        table: Literal["nodes", "edges"] = "edges"

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        rows = _nodes(graph) if self.options.table == "nodes" else _edges(graph)
        return "".join("\t".join(map(_cell, row)) + "\n" for row in rows).encode()


def _nodes(graph: KnowledgeGraph) -> Iterator[Iterable[object]]:
    yield biolink.NODE_COLUMNS
    for concept in graph.concepts:
        category = biolink.CATEGORIES.get(concept.kind, biolink.ANY_CATEGORY)
        yield (concept.id, category, concept.label, concept.definition, concept.xrefs,
               concept.synonyms, concept.source.split(" || "), concept.kind,
               concept.dataset)  # fmt: skip


def _edges(graph: KnowledgeGraph) -> Iterator[Iterable[object]]:
    yield biolink.EDGE_COLUMNS
    for number, edge in enumerate(graph.edges):
        for place, item in enumerate(edge.evidence):
            yield _edge(f"kgdx:edge-{number}-{place}", edge, item)


def _edge(name: str, edge: Edge, item: Evidence) -> Iterable[object]:
    level, agent = biolink.KNOWLEDGE[item.status]
    predicate = biolink.PREDICATES.get(edge.relation, biolink.ANY_PREDICATE)
    return (name, edge.subject, predicate, edge.object, biolink.ASSOCIATION, edge.relation,
            item.source, level, agent, edge.label_set, item.tag, item.dataset, item.licence,
            item.weight, item.count, item.detail)  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return "|".join(_cell(item.replace("|", "/")) for item in value)
    return str(cell(" ".join(str(value).split())))
