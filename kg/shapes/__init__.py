"""SHACL shapes: constraints on every graph, checked by pyshacl on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kg.check.faults import Fault, Severity
from kg.errors import InputError
from kg.files.regular import read_file
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

if TYPE_CHECKING:
    from rdflib import Graph, URIRef

SHIPPED_SHAPES = Path(__file__).parent / "clinical.ttl"

_SEVERITY: dict[str, Severity] = {"Violation": "error", "Warning": "warning", "Info": "info"}
_FORMATS = {".ttl": "turtle", ".nt": "nt"}


def shape_faults(graph: KnowledgeGraph, files: Sequence[Path]) -> list[Fault]:
    """Faults of a graph by the shapes in some files.

    The shapes see each concept as a node of class `kgdx:Concept` and of its kind's class
    (`kgdx:finding`, `kgdx:anatomy`, ...) with `rdfs:label`, `skos:altLabel` and `kgdx:xref`, and
    each edge as a plain triple.

    Args:
        graph: The graph.
        files: Turtle or N-Triples files of shapes; nothing that they import is fetched.

    Raises:
        InputError: If a file is missing or holds no valid shapes.
    """
    import pyshacl

    content = _rdf(graph)
    found = []
    for path in files:
        shapes = _shapes(path)
        try:
            _, report, _ = pyshacl.validate(content, shacl_graph=shapes, do_owl_imports=False)
        except pyshacl.errors.ReportableRuntimeError as error:
            raise InputError(f"{path.name}: {error}", "correct the shapes") from None
        found += list(_faults(report, shapes))
    return found


def _shapes(path: Path) -> Graph:
    from rdflib import Graph
    from rdflib.plugins.parsers.notation3 import BadSyntax

    if path.suffix not in _FORMATS:
        raise InputError(f"{path}: shapes are read from .ttl or .nt", "save them as Turtle")
    try:
        text = read_file(path).decode("utf-8")
        return Graph().parse(data=text, format=_FORMATS[path.suffix], publicID="urn:kgdx:shapes")
    except RecursionError:
        raise InputError(f"{path.name}: is nested too deeply", "mend the shapes") from None
    except (BadSyntax, ValueError, SyntaxError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path.name}: is not Turtle ({reason})", "correct the shapes") from None


def _rdf(graph: KnowledgeGraph) -> Graph:
    from rdflib import RDF, RDFS, SKOS, Graph, Literal, Namespace

    kgdx = Namespace("urn:kgdx:")
    content = Graph()
    for concept in graph.concepts:
        node = _node(concept.id)
        content.add((node, RDF.type, kgdx.Concept))
        content.add((node, RDF.type, kgdx[concept.kind.replace(" ", "_") or "nothing"]))
        content.add((node, RDFS.label, Literal(concept.label)))
        for synonym in concept.synonyms:
            content.add((node, SKOS.altLabel, Literal(synonym)))
        for xref in concept.xrefs:
            content.add((node, kgdx.xref, Literal(xref)))
    for edge in graph.edges:
        relation = _node(RELATIONS[edge.relation].iri)
        content.add((_node(edge.subject), relation, _node(edge.object)))
    return content


def _node(curie: str) -> URIRef:
    from rdflib import URIRef

    from kg.files.rdf import iri

    return URIRef(iri(curie).value)


def _faults(report: Any, shapes: Graph) -> Iterator[Fault]:
    """One fault for each result; its rule is the name of the broken shape."""
    from rdflib import RDF, RDFS, SH, BNode

    from kg.files.rdf import curie

    for result in report.subjects(RDF.type, SH.ValidationResult):
        shape = report.value(result, SH.sourceShape)
        if isinstance(shape, BNode):
            shape = shapes.value(predicate=SH.property, object=shape) or shape
        named = str(shape).rpartition("#")[2].rpartition(":")[2].rpartition("/")[2]
        value = report.value(result, SH.value)
        said = " ".join(str(report.value(result, SH.resultMessage)).split())
        mend = shapes.value(shape, RDFS.comment)
        severity = str(report.value(result, SH.resultSeverity)).rpartition("#")[2]
        yield Fault(
            rule=f"shape:{named}",
            severity=_SEVERITY[severity],
            about=curie(str(report.value(result, SH.focusNode))),
            message=said if value is None else f"{said} (it is {curie(str(value))})",
            mend=str(mend) if mend is not None else "correct the concept or the shape",
        )
