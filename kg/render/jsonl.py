"""JSON lines: one concept, edge or label set on each line; the storage format of a graph."""

from __future__ import annotations

from kg.render._stored import Stored

__all__ = ["JsonLines"]


class JsonLines(Stored):
    """Writes a graph so that `kg.files.store.load` reads the same one back."""

    ending = ".jsonl"
