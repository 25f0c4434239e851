"""Text: every concept with its edges and their sources, for reading, searching and comparing."""

from __future__ import annotations

from collections.abc import Iterator

from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions

__all__ = ["Text"]


class Text:
    """Writes one paragraph for each concept; each edge stands under its subject.

    Args:
        options: None needed.
    """

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        return "".join(f"{line}\n" for line in _lines(graph)).encode()


def _lines(graph: KnowledgeGraph) -> Iterator[str]:
    yield f"{graph.name}: {len(graph.concepts)} concepts, {len(graph.edges)} edges"
    yield f"fingerprint {graph.fingerprint}"
    for concept in graph.concepts:
        yield ""
        yield f"{concept.label}  {concept.id}  {concept.kind}"
        if concept.definition:
            yield f"  {' '.join(concept.definition.split())} [{concept.definition_source}]"
        for edge in graph.edges_of(concept.id):
            if edge.subject == concept.id:
                target = graph.concept(edge.object)
                sets = f" (of {edge.label_set})" if edge.label_set else ""
                yield f"  {edge.relation.replace('_', ' ')}: {target.label}  {target.id}{sets}"
                for item in edge.evidence:
                    figures = f"; {item.detail or item.tag}" if item.status == "mined" else ""
                    yield f"    {item.status}: {' '.join(item.source.split())}{figures}"
