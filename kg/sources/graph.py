"""A built graph as a source of another: the shipped one, or any file that `graph build` wrote."""

from __future__ import annotations

from pathlib import Path

from kg.files.store import SHIPPED, load
from kg.options import Options as BaseOptions
from kg.sources import Facts

__all__ = ["BuiltGraph"]


class BuiltGraph:
    """Takes a graph in with all its evidence.

    Args:
        options: The graph.
    """

    class Options(BaseOptions):
        """The graph.

        Args:
            file: A graph file, relative to the recipe; empty for the shipped graph.
        """

        file: str | None = None

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the graph.

        Args:
            folder: Folder the file is relative to.
            known: Not used.

        Raises:
            InputError: If the file is missing or malformed.
        """
        graph = load(folder / self.options.file if self.options.file else SHIPPED)
        return Facts(graph.concepts, graph.edges, graph.label_sets)
