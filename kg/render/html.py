"""HTML: one offline page to explore the graph: search, expand, filter, paths, evidence."""

from __future__ import annotations

import html
import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from kg.bounds import Count
from kg.errors import InputError
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions

__all__ = ["Page"]

_FILES = Path(__file__).parent / "viewer"


class Page:
    """Writes one self-contained page that refers to nothing on a network.

    Drawn by Cytoscape.js (MIT; its licence stands in the page and beside it). It opens on one
    concept and what is around it, so that a large graph opens as fast as a small one.

    Args:
        options: Start of the page, and limits of drawing.
    """

    class Options(BaseOptions):
        """Start of the page, and limits of drawing.

        Args:
            start: Concept the page opens on; empty for the one with the most kinds of edges.
            drawn: Largest number of concepts drawn at once; where there are more, the page says
                so and keeps to the neighbourhood of one concept.
            concepts: Largest number of concepts in a page.
        """

        start: str = ""
        drawn: Count = 1500
        concepts: Count = 50_000

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole page.

        Raises:
            InputError: If the graph is too large for a page, or has no such concept to start on.
        """
        if len(graph.concepts) > self.options.concepts:
            raise InputError(
                f"{graph.name}: {len(graph.concepts)} concepts are too many for a page "
                f"(at most {self.options.concepts})",
                "export the neighbourhood of one concept: --around CONCEPT --depth 2",
            )
        start = graph.index[graph.resolve(self.options.start).id] if self.options.start else None
        content = {**columns(graph), "start": start, "drawn": self.options.drawn}
        fillings = {
            "title": html.escape(f"{graph.name} - knowledge graph"),
            "css": _file("page.css"),
            "graph": _as_script(content),
            "library": _file("cytoscape.min.js"),
            "script": _file("page.js"),
        }
        page = _file("page.html")
        pieces = []
        for name, filling in fillings.items():
            before, page = page.split(f"[[{name}]]")
            pieces += [before, filling]
        return "".join([*pieces, page]).encode()


class _Table:
    """Values in order of first use, and the place of each."""

    def __init__(self) -> None:
        self.places: dict[Hashable, int] = {}

    def __call__(self, value: Hashable) -> int:
        return self.places.setdefault(value, len(self.places))


def columns(graph: KnowledgeGraph) -> dict[str, Any]:
    """A graph as columns of numbers and the strings they stand for; nothing is written twice.

    Edges: `subject`, `relation`, `object` by place. Evidence of edge `i`: `evidence` from
    `first[i]` to `first[i + 1]`, places in `items`; an item is source, status, data set, licence
    (places), weight, count, detail.
    """
    kinds, relations, items = _Table(), _Table(), _Table()
    sources, statuses, datasets, licences, sets = _Table(), _Table(), _Table(), _Table(), _Table()
    evidence: list[int] = []
    first = [0]
    for edge in graph.edges:
        for item in edge.evidence:
            words = (
                sources(item.source), statuses(item.status), datasets(item.dataset or ""),
                licences(item.licence), item.weight, item.count, item.detail,
            )  # fmt: skip
            evidence.append(items(words))
        first.append(len(evidence))
    concepts = list(enumerate(graph.concepts))
    return {
        "name": graph.name,
        "fingerprint": graph.fingerprint,
        "id": [one.id for _, one in concepts],
        "label": [one.label for _, one in concepts],
        "kind": [kinds(one.kind) for _, one in concepts],
        "kinds": list(kinds.places),
        "synonyms": {place: one.synonyms for place, one in concepts if one.synonyms},
        "xrefs": {place: one.xrefs for place, one in concepts if one.xrefs},
        "definition": {place: one.definition for place, one in concepts if one.definition},
        "defined": {place: one.definition_source for place, one in concepts if one.definition},
        "subject": [graph.index[edge.subject] for edge in graph.edges],
        "relation": [relations(edge.relation) for edge in graph.edges],
        "object": [graph.index[edge.object] for edge in graph.edges],
        "set": {place: sets(e.label_set) for place, e in enumerate(graph.edges) if e.label_set},
        "sets": list(sets.places),
        "relations": [_relation(str(name)) for name in relations.places],
        "first": first,
        "evidence": evidence,
        "items": list(items.places),
        "sources": list(sources.places),
        "statuses": list(statuses.places),
        "datasets": list(datasets.places),
        "licences": list(licences.places),
    }


def _relation(name: str) -> dict[str, Any]:
    relation = RELATIONS[name]
    return {
        "name": name,
        "meaning": relation.meaning,
        "symmetric": relation.symmetric,
        "bookkeeping": relation.bookkeeping,
    }


def _file(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _as_script(value: Any) -> str:
    """JSON that cannot end its script element and holds no web address."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("://", ":\\u002f/")
