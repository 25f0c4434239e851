"""Mermaid: a flowchart that Markdown pages draw by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions
from kg.render._pictured import colour, places

__all__ = ["Mermaid"]


class Mermaid:
    """Writes a flowchart; symmetric relations have no arrow head.

    Args:
        options: Layout.
    """

    class Options(BaseOptions):
        """Layout of the drawing.

        Args:
            direction: `LR`, `RL`, `TB` or `BT`.
        """

        direction: Literal["LR", "RL", "TB", "BT"] = "LR"

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        return "".join(f"{line}\n" for line in self._lines(graph)).encode()

    def _lines(self, graph: KnowledgeGraph) -> Iterator[str]:
        place = places(graph)
        kinds = sorted({concept.kind for concept in graph.concepts})
        style = {kind: f"k{number}" for number, kind in enumerate(kinds)}
        yield f"flowchart {self.options.direction}"
        for concept in graph.concepts:
            name = place[concept.id]
            yield f'  {name}["{_escaped(concept.label)}"]:::{style[concept.kind]}'
        for edge in graph.edges:
            arrow = "---" if RELATIONS[edge.relation].symmetric else "-->"
            said = _escaped(edge.relation.replace("_", " "))
            yield f'  {place[edge.subject]} {arrow}|"{said}"| {place[edge.object]}'
        for kind, name in style.items():
            yield f"  classDef {name} fill:{colour(kind)},stroke:#555,color:#000"


def _escaped(text: str) -> str:
    """Text in which nothing is markup: Mermaid reads `#` + code + `;` as a character."""
    plain = " ".join(text.split())
    return "".join(f"#{ord(letter)};" if letter in '"#<>&`\\|;' else letter for letter in plain)
