"""A graph as RDF: plain triples anyone can query, and reified edges that lose nothing.

Every edge is a plain triple, and beside it an `rdf:Statement` that carries its items of evidence
in order. In TriG the plain triples stand in one named graph for each data set or source, so that
a query can leave one out; the statements stand in the default graph.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote

import pyoxigraph as ox

from kg.errors import InputError
from kg.files.rdf_files import quads_of
from kg.files.typed import malformed
from kg.model.concepts import Concept, Phrase
from kg.model.edges import RELATIONS, Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet
from kg.model.plain import as_plain
from kg.model.records import Records

OBO = "http://purl.obolibrary.org/obo/"
PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "BFO": f"{OBO}BFO_",
    "RO": f"{OBO}RO_",
    "ckg": "urn:ckg:",
    "kgdx": "urn:kgdx:",
}
FORMATS = {".ttl": ox.RdfFormat.TURTLE, ".trig": ox.RdfFormat.TRIG}

Number = TypeVar("Number", int, float)

_OBO_ID = re.compile(r"[A-Z]+:\d{4,}")

_RELATION_OF = {relation.iri: name for name, relation in RELATIONS.items()}


def to_rdf(graph: KnowledgeGraph, ending: str) -> bytes:
    """The graph as Turtle (`.ttl`) or TriG (`.trig`)."""
    named = ending == ".trig"
    content = ox.serialize(
        quads(graph, plain=not named, named=named), format=FORMATS[ending], prefixes=PREFIXES
    )
    return bytes(content or b"")


def quads(graph: KnowledgeGraph, *, plain: bool, named: bool) -> Iterator[ox.Quad]:
    """The statements of a graph.

    Args:
        graph: The graph.
        plain: True if edges are triples of the default graph.
        named: True if edges are triples of one named graph for each data set or source.
    """
    for triple in _head(graph):
        yield ox.Quad(*triple)
    for concept in graph.concepts:
        for triple in _concept(concept):
            yield ox.Quad(*triple)
    for edge in graph.edges:
        if plain:
            yield from _plain(edge, named=False)
        if named:
            yield from _plain(edge, named=True)
        for triple in _statement(edge):
            yield ox.Quad(*triple)
    for order, label_set in enumerate(graph.label_sets):
        for triple in _label_set(label_set, order):
            yield ox.Quad(*triple)


def from_rdf(path: Path) -> Records:
    """Read what `to_rdf` wrote. Nothing is fetched; `owl:imports` is refused.

    Raises:
        InputError: If the file is no Turtle or TriG (names the line), takes more memory or time
            than it may, or holds no graph.
    """
    parsed = list(quads_of(path))
    try:
        return _Reader(path.name, parsed).records()
    except ValueError as error:
        hint = "orders, counts and weights are numbers"
        raise InputError(f"{path.name}: {error}", hint) from None


def iri(curie: str) -> ox.NamedNode:
    """The IRI of a CURIE; an id without a known prefix is kept in the project's own space.

    Numbered ids of open biomedical ontologies (`HP:0002202`) have their published IRI.
    """
    prefix, colon, rest = curie.partition(":")
    if prefix not in PREFIXES and _OBO_ID.fullmatch(curie):
        return ox.NamedNode(f"{OBO}{prefix}_{rest}")
    if colon and prefix in PREFIXES:
        return ox.NamedNode(PREFIXES[prefix] + quote(rest, safe="_-.~"))
    return ox.NamedNode(PREFIXES["kgdx"] + "id:" + quote(curie, safe="_-.~"))


def curie(iri: str) -> str:
    """The id that `iri` made an IRI of; one of another space stays as it is."""
    own = PREFIXES["kgdx"] + "id:"
    if iri.startswith(own):
        return unquote(iri.removeprefix(own))
    for prefix, space in PREFIXES.items():
        if iri.startswith(space):
            return f"{prefix}:{unquote(iri.removeprefix(space))}"
    published = iri.removeprefix(OBO).replace("_", ":", 1)
    return published if _OBO_ID.fullmatch(published) else iri


_Triple = tuple[Any, Any, Any]

A = iri("rdf:type")
SYMMETRIC = iri("owl:SymmetricProperty")
FIELD = {
    field: iri(f"kgdx:{field}")
    for field in (
        "name", "fingerprint", "kind", "text", "source", "tag", "status", "dataset", "licence",
        "weight", "count",
        "detail", "language", "order", "phrases", "evidence", "synonyms", "xrefs", "definition",
        "label_set", "concept", "findings", "columns", "exclusive", "no_finding", "with_no_finding",
    )
}  # fmt: skip


def _head(graph: KnowledgeGraph) -> Iterator[_Triple]:
    node = iri("kgdx:graph")
    yield node, A, iri("kgdx:KnowledgeGraph")
    yield node, FIELD["name"], ox.Literal(graph.name)
    yield node, FIELD["fingerprint"], ox.Literal(graph.fingerprint)
    used = {name: RELATIONS[name] for name in sorted({edge.relation for edge in graph.edges})}
    for name, one in used.items():
        if name in RELATIONS:
            yield iri(one.iri), FIELD["name"], ox.Literal(name)
    # what other vocabularies say of their own relations is not repeated
    for own in sorted(
        one.iri for one in used.values() if one.symmetric and one.iri.startswith("ckg:")
    ):
        yield iri(own), A, SYMMETRIC


def _concept(concept: Concept) -> Iterator[_Triple]:
    node = iri(concept.id)
    yield node, A, iri("kgdx:Concept")
    yield node, iri("rdfs:label"), ox.Literal(concept.label)
    for synonym in concept.synonyms:
        yield node, iri("skos:altLabel"), ox.Literal(synonym)
    yield from _listed(node, "synonyms", concept.synonyms)
    yield from _listed(node, "xrefs", concept.xrefs)
    for field in ("kind", "definition", "source", "dataset"):
        yield from _value(node, field, getattr(concept, field))
    for order, phrase in enumerate(concept.phrases):
        yield from _item(node, "phrases", order, phrase)


def _plain(edge: Edge, *, named: bool) -> Iterator[ox.Quad]:
    triple = iri(edge.subject), iri(RELATIONS[edge.relation].iri), iri(edge.object)
    if not named:
        yield ox.Quad(*triple)
        return
    for place in sorted({item.dataset or item.source for item in edge.evidence}):
        yield ox.Quad(*triple, ox.NamedNode(PREFIXES["kgdx"] + "from:" + quote(place, safe="")))


def _statement(edge: Edge) -> Iterator[_Triple]:
    digest = hashlib.sha256("\n".join(edge.key).encode()).hexdigest()[:24]
    node = iri(f"kgdx:edge-{digest}")
    yield node, A, iri("rdf:Statement")
    yield node, iri("rdf:subject"), iri(edge.subject)
    yield node, iri("rdf:predicate"), iri(RELATIONS[edge.relation].iri)
    yield node, iri("rdf:object"), iri(edge.object)
    yield from _value(node, "label_set", edge.label_set)
    for order, item in enumerate(edge.evidence):
        yield from _item(node, "evidence", order, item)


def _label_set(label_set: LabelSet, order: int) -> Iterator[_Triple]:
    node = ox.NamedNode(PREFIXES["kgdx"] + "label_set:" + quote(label_set.name, safe=""))
    yield node, A, iri("kgdx:LabelSet")
    yield node, FIELD["order"], ox.Literal(order)
    for field in ("name", "concept", "exclusive", "no_finding"):
        yield from _value(node, field, getattr(label_set, field))
    for field in ("findings", "columns", "with_no_finding"):
        yield from _listed(node, field, getattr(label_set, field))


def _item(
    owner: ox.NamedNode, field: str, order: int, item: Phrase | Evidence
) -> Iterator[_Triple]:
    node = ox.NamedNode(f"{owner.value}/{field}/{order}")
    yield owner, FIELD[field], node
    yield node, FIELD["order"], ox.Literal(order)
    for key in item.__dataclass_fields__:
        yield from _value(node, key, getattr(item, key))


def _value(node: ox.NamedNode, field: str, value: object) -> Iterator[_Triple]:
    if value is None or value == "":
        return
    if isinstance(value, float):
        # The shortest text that reads back as the same number.
        literal = ox.Literal(repr(value), datatype=iri("xsd:double"))
    elif isinstance(value, bool | int):
        literal = ox.Literal(value)
    else:
        literal = ox.Literal(str(value))
    yield node, FIELD[field], literal


def _listed(node: ox.NamedNode, field: str, values: tuple[str, ...]) -> Iterator[_Triple]:
    if not values:
        return
    cells = [ox.NamedNode(f"{node.value}/{field}/{place}") for place in range(len(values))]
    yield node, FIELD[field], cells[0]
    for place, value in enumerate(values):
        after = cells[place + 1] if place + 1 < len(cells) else iri("rdf:nil")
        yield cells[place], iri("rdf:first"), ox.Literal(value)
        yield cells[place], iri("rdf:rest"), after


class _Reader:
    """Reads records back from triples."""

    def __init__(self, name: str, quads: Iterable[ox.Quad]) -> None:
        self.name = name
        self.values: dict[Any, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.plain: set[tuple[str, str, str]] = set()
        for quad in quads:
            predicate = quad.predicate.value
            if predicate == PREFIXES["owl"] + "imports":
                raise InputError(f"{name}: imports {quad.object}", "merge it by a recipe instead")
            self.values[quad.subject][predicate].append(quad.object)
            relation = _RELATION_OF.get(curie(predicate))
            if (
                relation
                and isinstance(quad.subject, ox.NamedNode)
                and isinstance(quad.object, ox.NamedNode)
            ):
                ends = curie(quad.subject.value), curie(quad.object.value)
                self.plain.add((ends[0], relation, ends[1]))

    def records(self) -> Records:
        nodes = defaultdict(list)
        for node, values in self.values.items():
            for kind in values[A.value]:
                nodes[curie(kind.value)].append(node)
        names = [self._text(node, "name") for node in nodes["kgdx:KnowledgeGraph"]]
        if not names:
            raise InputError(f"{self.name}: holds no kgdx:KnowledgeGraph", "build it by a recipe")
        stated = [self._edge(node) for node in nodes["rdf:Statement"]]
        wrong = [malformed(Edge, as_plain(edge), " ".join(edge.key[:3])) for edge in stated]
        bare = self.plain - {(edge.subject, edge.relation, edge.object) for edge in stated}
        return Records(
            name=names[0],
            concepts=[self._concept(node) for node in nodes["kgdx:Concept"]],
            edges=[edge for edge, one in zip(stated, wrong, strict=True) if one is None],
            label_sets=[self._label_set(node) for node in self._ordered(nodes["kgdx:LabelSet"])],
            fingerprint=self._text(nodes["kgdx:KnowledgeGraph"][0], "fingerprint"),
            bare=sorted(bare),
            malformed=[one for one in wrong if one is not None],
        )

    def _one(self, node: Any, predicate: str) -> Any:
        values = self.values[node][predicate] if node in self.values else []
        return values[0] if values else None

    def _literal(self, node: Any, field: str) -> str | None:
        value = self._one(node, FIELD[field].value)
        return None if value is None else value.value

    def _text(self, node: Any, field: str) -> str:
        return self._literal(node, field) or ""

    def _needed(self, node: Any, predicate: str) -> Any:
        value = self._one(node, iri(predicate).value)
        if value is None:
            raise InputError(f"{self.name}: {node} has no {predicate}", "add it")
        return value.value

    def _list(self, node: Any, field: str) -> tuple[str, ...]:
        values, cell = [], self._one(node, FIELD[field].value)
        while cell is not None and cell != iri("rdf:nil"):
            values.append(self._needed(cell, "rdf:first"))
            cell = self._one(cell, iri("rdf:rest").value)
        return tuple(values)

    def _items(self, node: Any, field: str) -> list[Any]:
        return self._ordered(self.values[node][FIELD[field].value])

    def _ordered(self, nodes: list[Any]) -> list[Any]:
        return sorted(nodes, key=lambda node: int(self._text(node, "order") or 0))

    def _concept(self, node: Any) -> Concept:
        return Concept(
            id=curie(node.value),
            label=self._needed(node, "rdfs:label"),
            kind=self._text(node, "kind"),
            synonyms=self._list(node, "synonyms"),
            xrefs=self._list(node, "xrefs"),
            phrases=tuple(
                Phrase(
                    text=self._text(item, "text"),
                    kind=self._text(item, "kind"),
                    source=self._text(item, "source"),
                    language=self._text(item, "language") or "en",
                    dataset=self._literal(item, "dataset"),
                )
                for item in self._items(node, "phrases")
            ),
            definition=self._text(node, "definition"),
            source=self._text(node, "source"),
            dataset=self._literal(node, "dataset"),
        )

    def _edge(self, node: Any) -> Edge:
        relation = curie(self._needed(node, "rdf:predicate"))
        return Edge(
            subject=curie(self._needed(node, "rdf:subject")),
            relation=_RELATION_OF.get(relation, relation),
            object=curie(self._needed(node, "rdf:object")),
            evidence=tuple(self._evidence(item) for item in self._items(node, "evidence")),
            label_set=self._literal(node, "label_set"),
        )

    def _evidence(self, node: Any) -> Evidence:
        weight, count = self._literal(node, "weight"), self._literal(node, "count")
        status = self._text(node, "status")
        if status not in ("asserted", "derived", "mined"):
            raise InputError(f"{self.name}: {node}: no status {status!r}", "say who asserts it")
        return Evidence(
            source=self._text(node, "source"),
            tag=self._text(node, "tag"),
            status=status,  # type: ignore[arg-type]
            dataset=self._literal(node, "dataset"),
            licence=self._text(node, "licence"),
            weight=_number(float, weight),
            count=_number(int, count),
            detail=self._text(node, "detail"),
        )

    def _label_set(self, node: Any) -> LabelSet:
        return LabelSet(
            name=self._text(node, "name"),
            concept=self._text(node, "concept"),
            findings=self._list(node, "findings"),
            columns=self._list(node, "columns"),
            exclusive=self._literal(node, "exclusive") == "true",
            no_finding=self._literal(node, "no_finding"),
            with_no_finding=self._list(node, "with_no_finding"),
        )


def _number(kind: type[Number], text: str | None) -> Number | None:
    """A number; text that is none stays as it is and is told as malformed."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        return cast(Number, text)
