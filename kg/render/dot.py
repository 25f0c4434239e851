"""DOT: a drawing for Graphviz, concepts coloured by kind, sources as tooltips."""

from __future__ import annotations

from collections.abc import Iterator

from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions
from kg.render._pictured import colour, places, sources

__all__ = ["Dot"]


class Dot:
    """Writes a directed graph; symmetric relations have no arrow head.

    Args:
        options: Layout.
    """

    class Options(BaseOptions):
        """Layout of the drawing.

        Args:
            direction: `LR`, `RL`, `TB` or `BT`.
        """

        direction: str = "LR"

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        return "".join(f"{line}\n" for line in self._lines(graph)).encode()

    def _lines(self, graph: KnowledgeGraph) -> Iterator[str]:
        place = places(graph)
        yield f"digraph {_quoted(graph.name)} {{"
        yield f"  rankdir={_quoted(self.options.direction)};"
        yield '  node [shape=box, style="rounded,filled", fontname="sans-serif"];'
        for concept in graph.concepts:
            label, tip = _quoted(concept.label), _quoted(f"{concept.id} ({concept.kind})")
            fill = colour(concept.kind)
            yield f'  {place[concept.id]} [label={label}, tooltip={tip}, fillcolor="{fill}"];'
        for edge in graph.edges:
            label, tip = _quoted(edge.relation.replace("_", " ")), _quoted(sources(edge))
            head = ", dir=none" if RELATIONS[edge.relation].symmetric else ""
            ends = f"{place[edge.subject]} -> {place[edge.object]}"
            yield f"  {ends} [label={label}, tooltip={tip}{head}];"
        yield "}"


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{inner}"'
