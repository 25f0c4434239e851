"""Storage formats of a graph: lossless, and readable by `kg.files.store.load`."""

from __future__ import annotations

from kg.files.store import serialised
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions


class Stored:
    """Writes a graph in a storage format; each subclass names the ending."""

    ending = ""

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        return serialised(graph, self.ending)
