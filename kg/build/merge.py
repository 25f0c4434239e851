"""Merging of sources: one concept for each id, one edge for each key, conflicts listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from kg.build.provenance import evidence_key
from kg.model.concepts import ANY_KIND, DEFINED_BY, Concept, Phrase
from kg.model.edges import RELATIONS, Edge
from kg.model.graph import LabelSet
from kg.sources import Conflict, Facts


def merge(sources: Sequence[Facts]) -> Facts:
    """One set of facts from several, in canonical order.

    A fact stated twice is kept once with the evidence of both; of two contradicting sources the
    earlier is kept and the conflict listed.
    """
    conflicts = [conflict for source in sources for conflict in source.conflicts]
    concepts = _concepts([c for source in sources for c in source.concepts], conflicts)
    edges = _edges([e for source in sources for e in source.edges])
    label_sets = _label_sets([s for source in sources for s in source.label_sets], conflicts)
    return Facts(concepts, edges, label_sets, conflicts)


def shared_names(concepts: Iterable[Concept]) -> list[Conflict]:
    """Names and identifiers in other vocabularies that two concepts claim."""
    names: dict[str, set[str]] = defaultdict(set)
    xrefs: dict[str, set[str]] = defaultdict(set)
    for concept in concepts:
        for word in (concept.label, *concept.synonyms):
            names[word.casefold()].add(concept.id)
        for xref in concept.xrefs:
            xrefs[xref].add(concept.id)
    return [
        Conflict(kind, word, f"means {', '.join(sorted(ids))}; all kept")
        for kind, table in (("shared_name", names), ("shared_xref", xrefs))
        for word, ids in sorted(table.items())
        if len(ids) > 1
    ]


def _concepts(concepts: list[Concept], conflicts: list[Conflict]) -> list[Concept]:
    merged: dict[str, Concept] = {}
    for concept in concepts:
        before = merged.get(concept.id)
        merged[concept.id] = _tidy(_joined(before, concept, conflicts) if before else concept)
    return [merged[key] for key in sorted(merged)]


def _joined(first: Concept, second: Concept, conflicts: list[Conflict]) -> Concept:
    kinds = [kind for kind in (first.kind, second.kind) if kind != ANY_KIND]
    for field, one, two in (
        ("label", first.label, second.label),
        ("kind", first.kind, kinds[-1] if kinds and first.kind != ANY_KIND else first.kind),
        ("definition", first.definition, second.definition),
    ):
        if one and two and one.casefold() != two.casefold():
            message = f"{field} is {one!r} (kept) and {two!r}"
            conflicts.append(Conflict(f"two_{field}s", first.id, message))
    other = () if second.label.casefold() == first.label.casefold() else (second.label,)
    sources = first.source.split(" || ") + [
        source
        for source in second.source.split(" || ")
        # The source of a definition that is not kept is none of the concept's.
        if not (first.definition and source.startswith(DEFINED_BY))
    ]
    return replace(
        first,
        kind=kinds[0] if kinds else ANY_KIND,
        synonyms=first.synonyms + second.synonyms + other,
        xrefs=first.xrefs + second.xrefs,
        phrases=first.phrases + second.phrases,
        definition=first.definition or second.definition,
        source=" || ".join(dict.fromkeys(source for source in sources if source)),
        dataset=first.dataset if first.dataset == second.dataset else None,
    )


def _tidy(concept: Concept) -> Concept:
    def by_text(phrase: Phrase) -> tuple[str, str, str, str]:
        return phrase.text, phrase.kind, phrase.source, phrase.language

    return replace(
        concept,
        synonyms=tuple(sorted(set(concept.synonyms) - {concept.label})),
        xrefs=tuple(sorted(set(concept.xrefs))),
        phrases=tuple(sorted(set(concept.phrases), key=by_text)),
    )


def _edges(edges: list[Edge]) -> list[Edge]:
    merged: dict[tuple[str, str, str, str], Edge] = {}
    for edge in edges:
        if RELATIONS[edge.relation].symmetric and edge.object < edge.subject:
            edge = replace(edge, subject=edge.object, object=edge.subject)
        before = merged.get(edge.key)
        evidence = {*edge.evidence, *(before.evidence if before else ())}
        merged[edge.key] = replace(edge, evidence=tuple(sorted(evidence, key=evidence_key)))
    return [merged[key] for key in sorted(merged)]


def _label_sets(label_sets: list[LabelSet], conflicts: list[Conflict]) -> list[LabelSet]:
    merged: dict[str, LabelSet] = {}
    for label_set in label_sets:
        before = merged.setdefault(label_set.name, label_set)
        if before != label_set:
            message = "is declared twice; the first is kept"
            conflicts.append(Conflict("two_label_sets", label_set.name, message))
    return [merged[name] for name in sorted(merged)]
