"""GraphML: for Gephi, Cytoscape, yEd and networkx; sources, counts and weights as attributes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph
from kg.options import Options as BaseOptions
from kg.render._pictured import sources

__all__ = ["GraphML"]

_NODE = {"label": "string", "kind": "string", "synonyms": "string", "xrefs": "string",
         "definition": "string", "source": "string"}  # fmt: skip
_EDGE = {"relation": "string", "symmetric": "string", "label_set": "string",
         "sources": "string", "status": "string", "datasets": "string", "licences": "string",
         "evidence": "int"}  # fmt: skip
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class GraphML:
    """Writes one directed graph; an attribute marks edges without direction.

    Args:
        options: None needed.
    """

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def render(self, graph: KnowledgeGraph) -> bytes:
        """The whole file."""
        content = io.BytesIO()
        write = XMLGenerator(content, encoding="utf-8", short_empty_elements=True)
        write.startDocument()
        write.startElement(
            "graphml", AttributesImpl({"xmlns": "http://graphml.graphdrawing.org/xmlns"})
        )
        for of, attributes in (("node", _NODE), ("edge", _EDGE)):
            for name, kind in attributes.items():
                key = {"id": f"{of}_{name}", "for": of, "attr.name": name, "attr.type": kind}
                write.startElement("key", AttributesImpl(key))
                write.endElement("key")
        write.startElement(
            "graph", AttributesImpl({"id": _clean(graph.name), "edgedefault": "directed"})
        )
        for element, attributes_of, values in _elements(graph):
            write.startElement(element, AttributesImpl(attributes_of))
            for name, value in values.items():
                if value:
                    write.startElement("data", AttributesImpl({"key": f"{element}_{name}"}))
                    write.characters(_clean(value))
                    write.endElement("data")
            write.endElement(element)
        write.endElement("graph")
        write.endElement("graphml")
        write.endDocument()
        return content.getvalue()


def _elements(graph: KnowledgeGraph) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    for concept in graph.concepts:
        values = {name: getattr(concept, name) for name in _NODE}
        joined = {n: "|".join(v) if isinstance(v, tuple) else v for n, v in values.items()}
        yield "node", {"id": _clean(concept.id)}, joined
    for place, edge in enumerate(graph.edges):
        ends = {
            "id": f"e{place}",
            "source": _clean(edge.subject),
            "target": _clean(edge.object),
        }
        items = edge.evidence
        yield (
            "edge",
            ends,
            {
                "relation": edge.relation,
                "symmetric": "yes" if RELATIONS[edge.relation].symmetric else "",
                "label_set": edge.label_set or "",
                "sources": sources(edge),
                "status": "|".join(sorted({item.status for item in items})),
                "datasets": "|".join(sorted({item.dataset for item in items if item.dataset})),
                "licences": "|".join(sorted({item.licence for item in items if item.licence})),
                "evidence": str(len(items)),
            },
        )


def _clean(text: str) -> str:
    """Text without the characters that no XML file can hold."""
    return _NOT_XML.sub("\ufffd", text)
