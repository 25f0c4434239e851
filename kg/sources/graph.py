"""A built graph: the shipped one, or any file that `graph build` wrote, as a source of another."""

from __future__ import annotations

from pathlib import Path

from kg.files.store import SHIPPED, load
from kg.options import Options as BaseOptions
from kg.sources import Facts

__all__ = ["BuiltGraph"]


class BuiltGraph:
    """Takes a graph in with all its evidence.

    Args:
        options: Which graph.
    """

    class Options(BaseOptions):
        """Which graph.

        Args:
            file: A graph file, relative to the recipe; the shipped graph where not given.
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
