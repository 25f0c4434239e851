"""OWL, RDF and SKOS ontologies: classes or concepts, names, hierarchy and plain restrictions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from kg.files.rdf_files import quads_of
from kg.model.curies import OBO, curie
from kg.model.edges import IS_A
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of, note_import, stated_true

__all__ = ["RdfOntology"]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
OIO = "http://www.geneontology.org/formats/oboInOwl#"

TYPES = {f"{OWL}Class", f"{RDFS}Class", f"{SKOS}Concept", f"{OWL}DeprecatedClass"}
LABELS = (f"{SKOS}prefLabel", f"{RDFS}label")
SYNONYMS = (f"{OIO}hasExactSynonym", f"{SKOS}altLabel", f"{OBO}IAO_0000118")
DEFINITIONS = (f"{OBO}IAO_0000115", f"{SKOS}definition")
XREFS = (f"{OIO}hasDbXref", f"{SKOS}exactMatch")
LOOSE = (f"{OIO}hasRelatedSynonym", f"{OIO}hasBroadSynonym", f"{OIO}hasNarrowSynonym")

OBSOLETE = {f"{OWL}DeprecatedClass", f"{OIO}ObsoleteClass"}
"""A term of this type, or below it, is obsolete."""

SEVERAL = f"{OWL}AllDisjointClasses"

LINKS = {
    f"{OWL}disjointWith": ("disjoint_with", False),
    **{
        f"{SKOS}{name}": (f"skos:{name}", False)
        for name in ("broader", "broaderTransitive", "broadMatch")
    },
    f"{SKOS}narrower": ("skos:broader", True),
    f"{SKOS}narrowerTransitive": ("skos:broaderTransitive", True),
    f"{SKOS}narrowMatch": ("skos:broadMatch", True),
    **{
        f"{SKOS}{name}": (f"skos:{name}", False)
        for name in ("related", "relatedMatch", "closeMatch")
    },
}
"""Relation of each plain statement, and True if subject and object change places."""

READ = {
    *(f"{RDF}type", f"{RDFS}subClassOf", f"{OWL}deprecated", f"{OWL}equivalentClass"),
    *(*LABELS, *SYNONYMS, *DEFINITIONS, *XREFS, *LOOSE, *LINKS),
}
"""Properties that are read of a term; other statements are counted."""

Values = dict[str, list[Any]]


class RdfOntology:
    """Reads RDF/XML, Turtle, N-Triples, N-Quads, TriG, N3 or JSON-LD without any network access.

    Args:
        options: The file, and the selection of its terms.
    """

    class Options(TermOptions):
        """The file, relative to the recipe, and the selection of its terms.

        Args:
            file: The file; its ending says the format (`.owl` is RDF/XML).
            imports: Treatment of imports of other files: refuse, or read without them.
            broader: Relation that `skos:broader` becomes; it is entailment in some vocabularies
                and mere filing in others.
            language: Language of the names; names without a language are always read.
        """

        file: str
        imports: Literal["refuse", "leave_out"] = "refuse"
        broader: str = "skos:broader"
        language: str = "en"

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the ontology.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If the file is missing or malformed (names the line), or imports others.
        """
        chosen, dropped = self.options, Counter[str]()
        nodes: dict[Any, Values] = defaultdict(lambda: defaultdict(list))
        path = folder / chosen.file
        for quad in quads_of(path):
            predicate = quad.predicate.value
            if predicate == f"{OWL}imports":
                note_import(path.name, str(quad.object), chosen.imports, dropped)
            nodes[quad.subject][predicate].append(quad.object)
        reader = _Reader(nodes, chosen, dropped)
        reader.count_unread()
        return facts_of(reader.terms(), reader.links(), chosen, known, dropped)


class _Reader:
    """Finds terms and links among the values of all nodes."""

    def __init__(
        self, nodes: dict[Any, Values], options: RdfOntology.Options, dropped: Counter[str]
    ) -> None:
        self.nodes = nodes
        self.options = options
        self.dropped = dropped
        self.named = {node: values for node, values in nodes.items() if _is_term(node, values)}

    def terms(self) -> Iterator[Term]:
        for node, values in self.named.items():
            labels = self._texts(values, LABELS)
            synonyms = self._texts(values, SYNONYMS)
            self.dropped["synonym that is not exact"] += len(self._texts(values, LOOSE))
            yield Term(
                id=curie(node.value),
                label=labels[0] if labels else "",
                synonyms=tuple(dict.fromkeys((*labels[1:], *synonyms))),
                xrefs=tuple(value.value for name in XREFS for value in values.get(name, ())),
                definition=next(iter(self._texts(values, DEFINITIONS)), ""),
                obsolete=_is_obsolete(values),
            )

    def links(self) -> list[Link]:
        found: list[Link] = []
        for node, values in self.named.items():
            own = curie(node.value)
            for parent in values.get(f"{RDFS}subClassOf", ()):
                found += self._axiom(own, parent)
            for same in values.get(f"{OWL}equivalentClass", ()):
                found += self._definition(own, same)
            for predicate, (relation, turned) in LINKS.items():
                name = self.options.broader if relation == "skos:broader" else relation
                for other in values.get(predicate, ()):
                    plain = self._plain(own, name, other)
                    found += [(last, name, first) for first, _, last in plain] if turned else plain
        return found

    def count_unread(self) -> None:
        """Count the statements that are not read: of terms, and of other named nodes."""
        for node, values in self.nodes.items():
            if node in self.named:
                for predicate in sorted(values.keys() - READ):
                    what = curie(predicate) if predicate.startswith(SKOS) else "statement"
                    self.dropped[f"{what} that is not taken in"] += len(values[predicate])
            elif _is_named(node) and not values.keys().isdisjoint(LABELS):
                self.dropped["named thing that is no class or concept"] += 1
            elif any(value.value == SEVERAL for value in values.get(f"{RDF}type", ())):
                self.dropped["axiom about several classes at once"] += 1

    def _axiom(self, own: str, parent: Any) -> list[Link]:
        """A parent class, or a restriction `property some class`."""
        if _is_named(parent):
            return [(own, IS_A, curie(parent.value))]
        values = self.nodes.get(parent, {})
        properties = values.get(f"{OWL}onProperty", ())
        fillers = values.get(f"{OWL}someValuesFrom", ())
        if len(properties) == len(fillers) == 1 and _is_named(properties[0]):
            if _is_named(fillers[0]):
                return [(own, curie(properties[0].value), curie(fillers[0].value))]
            self.dropped["restriction to a class expression"] += 1
        else:
            self.dropped["axiom that is no parent and no plain restriction"] += 1
        return []

    def _definition(self, own: str, same: Any) -> list[Link]:
        """Links to the members of an intersection; other definitions are left out."""
        if _is_named(same):
            return [(own, "exact_match", curie(same.value))]
        members = list(self._list(self.nodes.get(same, {}).get(f"{OWL}intersectionOf", ())))
        if not members:
            self.dropped["definition that is no intersection"] += 1
        return [link for member in members for link in self._axiom(own, member)]

    def _list(self, cells: Any) -> Iterator[Any]:
        """Members of an RDF list; a cyclic one ends."""
        cell, seen = (cells[0] if cells else None), set[Any]()
        while cell is not None and cell not in seen and cell in self.nodes:
            seen.add(cell)
            values = self.nodes[cell]
            yield from values.get(f"{RDF}first", ())[:1]
            cell = next(iter(values.get(f"{RDF}rest", ())), None)

    def _plain(self, own: str, relation: str, other: Any) -> list[Link]:
        if _is_named(other):
            return [(own, relation, curie(other.value))]
        self.dropped["axiom about a class expression"] += 1
        return []

    def _texts(self, values: Values, names: tuple[str, ...]) -> list[str]:
        """Texts in the chosen language, then those without a language."""
        found = [value for name in names for value in values.get(name, ()) if _is_literal(value)]
        chosen = self.options.language
        ours = [v.value for v in found if v.language and v.language.partition("-")[0] == chosen]
        plain = [v.value for v in found if not v.language]
        self.dropped["text in another language"] += len(found) - len(ours) - len(plain)
        return [" ".join(text.split()) for text in dict.fromkeys((*ours, *plain)) if text.strip()]


def _is_term(node: Any, values: Values) -> bool:
    """True if a node is declared a class or concept, or is below one."""
    types = {value.value for value in values.get(f"{RDF}type", ())}
    return _is_named(node) and (not TYPES.isdisjoint(types) or f"{RDFS}subClassOf" in values)


def _is_obsolete(values: Values) -> bool:
    """True if a term is declared obsolete, by mark, type or place in the hierarchy."""
    places = (*values.get(f"{RDF}type", ()), *values.get(f"{RDFS}subClassOf", ()))
    marked = any(stated_true(value.value) for value in values.get(f"{OWL}deprecated", ()))
    return marked or any(place.value in OBSOLETE for place in places)


def _is_named(node: Any) -> bool:
    return type(node).__name__ == "NamedNode"


def _is_literal(node: Any) -> bool:
    return type(node).__name__ == "Literal"
