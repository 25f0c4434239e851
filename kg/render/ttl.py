"""Turtle: plain triples, and each edge's evidence as a statement about it."""

from __future__ import annotations

from kg.render._stored import Stored

__all__ = ["Turtle"]


class Turtle(Stored):
    """Writes a graph so that `kg.files.store.load` reads the same one back."""

    ending = ".ttl"
