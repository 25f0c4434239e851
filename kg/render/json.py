"""JSON: one object with the concepts, edges and label sets, everything they carry."""

from __future__ import annotations

import json

from kg.bounds import Number
from kg.model.graph import KnowledgeGraph
from kg.model.plain import as_plain
from kg.options import Options as BaseOptions

__all__ = ["JsonObject"]


class JsonObject:
    """Writes one JSON object; edges name their ends by concept id.

    Args:
        options: Format.
    """

    class Options(BaseOptions):
        """Format of the JSON.

        Args:
            indent: Spaces of indentation; 0 for one line.
        """

        indent: Number = 1

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        content = {
            "name": graph.name,
            "fingerprint": graph.fingerprint,
            "concepts": [as_plain(concept) for concept in graph.concepts],
            "edges": [as_plain(edge) for edge in graph.edges],
            "label_sets": [as_plain(one) for one in graph.label_sets],
        }
        text = json.dumps(content, ensure_ascii=False, indent=self.options.indent or None)
        return f"{text}\n".encode()
