"""Catalog of export formats of a graph: one file each, named after the file ending."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from kg.catalog import Catalog
from kg.model.graph import KnowledgeGraph

__all__ = ["RENDERERS", "Renderer"]


@runtime_checkable
class Renderer(Protocol):
    """A format; built as `Part(options)`."""

    Options: Any

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""


RENDERERS: Catalog[Any] = Catalog("kg.render", "export format", ("Options", "render"))
