"""TriG: as Turtle, with the triples of each data set or source in a graph of their own."""

from __future__ import annotations

from kg.render._stored import Stored

__all__ = ["TriG"]


class TriG(Stored):
    """Writes a graph so that `kg.files.store.load` reads the same one back."""

    ending = ".trig"
