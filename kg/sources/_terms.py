"""Shared by ontologies: terms and links become concepts and edges; left-out ones are counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kg.errors import InputError
from kg.files.typed import malformed
from kg.model.concepts import ANY_KIND, Concept, Phrase
from kg.model.curies import normal_curie
from kg.model.edges import IS_A, RELATIONS, Edge, Evidence, known_relation
from kg.model.plain import as_plain
from kg.options import Options as BaseOptions
from kg.sources import Facts

DROP = "drop"


class TermOptions(BaseOptions):
    """Selection of the terms of an ontology, and its citation.

    Args:
        source: Citation of the source.
        licence: Its terms.
        kind: Kind of its concepts where `kinds` has none.
        kinds: For a root term, the kind of everything below it.
        under: Take only these terms and what is below them; everything where empty.
        prefixes: Take only ids with these prefixes; all where empty.
        relations: For a relation of the ontology, the graph's own, or `drop`.
        other_relations: True if relations without a name in the graph are kept as CURIEs.
        leave_out_xrefs: Prefixes of identifiers that are left out.
    """

    source: str
    licence: str = ""
    kind: str = ANY_KIND
    kinds: Mapping[str, str] = {}
    under: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    relations: Mapping[str, str] = {}
    other_relations: Literal["keep", "drop"] = "keep"
    # SNOMED CT codes need an affiliate licence.
    leave_out_xrefs: tuple[str, ...] = ("SNOMEDCT",)


@dataclass(frozen=True, slots=True)
class Term:
    """A term of an ontology, its id and identifiers as CURIEs."""

    id: str
    label: str = ""
    synonyms: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    definition: str = ""
    obsolete: bool = False


Link = tuple[str, str, str]


def note_import(
    name: str, imported: str, imports: Literal["refuse", "leave_out"], dropped: Counter[str]
) -> None:
    """Refuse or count an import of another file; it is never fetched.

    Raises:
        InputError: If imports are to be refused.
    """
    if imports == "refuse":
        raise InputError(
            f"{name}: imports {imported}, which is never fetched",
            "merge it by the recipe, or write imports: leave_out",
        )
    dropped["import that is not followed"] += 1


def facts_of(
    terms: Iterable[Term],
    links: Sequence[Link],
    options: TermOptions,
    known: Facts,
    dropped: Counter[str],
) -> Facts:
    """The terms and links that are selected, as facts.

    Args:
        terms: Terms, each id once.
        links: Subject, relation and object as CURIEs or names of the graph's relations.
        options: The selection.
        known: Facts of the graph; a link may lead to it.
        dropped: Counter of left-out items, by reason; the reader's own counts stay.

    Raises:
        InputError: If a relation or root that the options name does not exist.
    """
    trimmed = (_trimmed(_checked(term, options)) for term in terms)
    taken = {term.id: term for term in trimmed if _is_taken(term, options, dropped)}
    renamed = [(s, _relation(relation, options), o) for s, relation, o in links]
    wider = defaultdict(set)
    for subject, relation, target in renamed:
        if relation == IS_A:
            wider[subject].add(target)
    for root in (*options.under, *options.kinds):
        if root not in taken:
            raise InputError(f"{options.source}: has no term {root}", "name a root by its CURIE")
    above = _ancestors(taken, wider)
    if options.under:
        inside = {t for t in taken if not above[t].isdisjoint(options.under)}
        dropped["term outside the selected roots"] += len(taken) - len(inside)
        taken = {name: term for name, term in taken.items() if name in inside}
    concepts = [_concept(term, options, above[term.id]) for term in taken.values()]
    return Facts(concepts, _edges(renamed, taken, options, known, dropped), dropped=+dropped)


def stated_true(value: object) -> bool:
    """True if a value is one of the words for true in files (`true`, `1`)."""
    return str(value).strip().casefold() in ("true", "1")


def _checked(term: Term, options: TermOptions) -> Term:
    """The term, if its fields are texts: a file of JSON may hold anything.

    Raises:
        InputError: Naming the field.
    """
    wrong = malformed(Term, as_plain(term), f"{str(term.id)[:60]}")
    if wrong is not None:
        raise InputError(f"{options.source}: {wrong.about}: {wrong.message}", "correct it")
    return term


def _trimmed(term: Term) -> Term:
    """The term with single spaces in its names, and none around them."""
    spaced = (" ".join(name.split()) for name in term.synonyms)
    return replace(
        term,
        label=" ".join(term.label.split()),
        synonyms=tuple(name for name in spaced if name),
        definition=term.definition.strip(),
    )


def _is_taken(term: Term, options: TermOptions, dropped: Counter[str]) -> bool:
    if term.obsolete:
        dropped["obsolete term"] += 1
    elif options.prefixes and term.id.partition(":")[0] not in options.prefixes:
        dropped["term of another vocabulary"] += 1
    elif not term.label:
        dropped["term without a label"] += 1
    else:
        return True
    return False


def _relation(name: str, options: TermOptions) -> str:
    chosen = options.relations.get(name)
    if chosen == DROP:
        return DROP
    if chosen is not None:
        return known_relation(chosen)
    if name in RELATIONS:
        return name
    own = known_relation(name)
    return own if own in RELATIONS or options.other_relations == "keep" else DROP


def _ancestors(taken: Iterable[str], wider: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Every term with its ancestors, itself included; cycles are followed once."""
    found: dict[str, set[str]] = {}
    for term in taken:
        seen, queue = {term}, [term]
        while queue:
            for above in wider.get(queue.pop(), ()):
                if above in found:
                    seen |= found[above]
                elif above not in seen:
                    queue.append(above)
                    seen.add(above)
        found[term] = seen
    return found


def _concept(term: Term, options: TermOptions, above: set[str]) -> Concept:
    kind = next((kind for root, kind in options.kinds.items() if root in above), options.kind)
    xrefs = (normal_curie(xref) for xref in term.xrefs)
    left_out = options.leave_out_xrefs
    words = dict.fromkeys((term.label, *term.synonyms))
    return Concept(
        id=term.id,
        label=term.label,
        kind=kind,
        synonyms=tuple(word for word in words if word != term.label),
        xrefs=tuple(x for x in dict.fromkeys(xrefs) if x.partition(":")[0] not in left_out),
        phrases=tuple(
            Phrase(word.lower(), "label" if word == term.label else "synonym", options.source)
            for word in words
        ),
        definition=term.definition,
        source=options.source,
    )


def _edges(
    links: Iterable[Link],
    taken: Mapping[str, Term],
    options: TermOptions,
    known: Facts,
    dropped: Counter[str],
) -> list[Edge]:
    there = _known_marks(known)
    evidence = (Evidence(options.source, "ontology", "asserted", licence=options.licence),)
    kept: dict[Link, Edge] = {}
    for subject, relation, target in links:
        first = subject if subject in taken else there.get(subject)
        last = target if target in taken else there.get(target)
        link = (first or "", relation, last or "")
        if relation == DROP:
            dropped["edge of a relation that is not selected"] += 1
        elif first is None:
            dropped["edge from a term that is not taken in"] += 1
        elif last is None:
            dropped["edge to a term that is not taken in"] += 1
        elif link in kept:
            dropped["edge stated twice"] += 1
        elif first == last:
            dropped["edge from a term to itself"] += 1
        else:
            kept[link] = Edge(*link, evidence)
    return list(kept.values())


def _known_marks(known: Facts) -> dict[str, str]:
    """Known concept of each identifier that no other concept has."""
    owners: dict[str, set[str]] = defaultdict(set)
    for concept in known.concepts:
        for mark in (concept.id, *concept.xrefs):
            owners[mark].add(concept.id)
    return {mark: next(iter(ids)) for mark, ids in owners.items() if len(ids) == 1}
