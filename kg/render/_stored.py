"""The formats a graph is stored in, which lose nothing and can be read back."""

from __future__ import annotations

from kg.files.store import serialised
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions


class Stored:
    """Writes a graph as it is stored; each subclass names the ending."""

    ending = ""

    class Options(BaseOptions):
        """There is nothing to choose."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        return serialised(graph, self.ending)
