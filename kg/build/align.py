"""Alignment: concepts of a new source are matched with concepts of the graph.

A concept is a known one if it has the same id; or shares an identifier of another
vocabulary; or has the same label but for case, punctuation and spaces. Where these disagree, or
the kinds do not agree, the two are kept apart and the conflict is listed: published
cross-references are often wrong, and never joined blindly.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kg.model.concepts import ANY_KIND, Concept
from kg.model.edges import Edge, is_curie
from kg.model.graph import LabelSet
from kg.sources import Conflict, Facts

By = Literal["xref", "label", "synonym"]

CLINICAL = frozenset(
    {"finding", "disease", "symptom", "lab_sign", "complication", "comorbidity", "risk_factor"}
)
"""Kinds that one concept may have in different vocabularies: a cough is a symptom and a finding."""


@dataclass(frozen=True)
class Aligned:
    """Facts in the graph's own ids.

    Args:
        facts: The new source's facts.
        joined: How many of its concepts were known under another id.
    """

    facts: Facts
    joined: int


def align(known: Facts, new: Facts, by: Sequence[By] = ("xref", "label")) -> Aligned:
    """Give concepts that the graph has the ids of the graph.

    Args:
        known: Facts of the graph.
        new: Facts of another source.
        by: Properties besides the id that make two concepts one.
    """
    index = _Index(known.concepts, by)
    conflicts: list[Conflict] = []
    same: dict[str, str] = {}
    taken: dict[str, str] = {}
    for concept in new.concepts:
        target = index.find(concept, conflicts)
        if target is not None and target in taken:
            message = f"and {taken[target]} are both {target}; {concept.id} kept apart"
            conflicts.append(Conflict("two_to_one", concept.id, message))
        elif target is not None:
            same[concept.id] = target
            taken[target] = concept.id
    dropped = Counter(new.dropped)
    edges = _edges(new.edges, same, dropped)
    facts = Facts(
        [_renamed(concept, same) for concept in new.concepts],
        edges,
        [_renamed_set(one, same) for one in new.label_sets],
        [*new.conflicts, *conflicts],
        dropped,
    )
    return Aligned(facts, len(same))


def normal_name(text: str) -> str:
    """A name without case, accents, punctuation and needless spaces."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", kept.replace("_", " ")))


class _Index:
    """Looks concepts up by their identifiers and names."""

    def __init__(self, concepts: Sequence[Concept], by: Sequence[By]) -> None:
        self.by = by
        self.concepts = {concept.id: concept for concept in concepts}
        self.xrefs: dict[str, set[str]] = defaultdict(set)
        self.labels: dict[str, set[str]] = defaultdict(set)
        self.synonyms: dict[str, set[str]] = defaultdict(set)
        for concept in concepts:
            self.xrefs[concept.id].add(concept.id)
            for xref in concept.xrefs:
                self.xrefs[xref].add(concept.id)
            self.labels[normal_name(concept.label)].add(concept.id)
            for word in concept.synonyms:
                self.synonyms[normal_name(word)].add(concept.id)

    def find(self, concept: Concept, conflicts: list[Conflict]) -> str | None:
        """Id of the known concept that a new one is, if it has another id."""
        if concept.id in self.concepts:
            return None
        linked = self._by_xref(concept)
        named = self._by_name(concept)
        found = (linked & named) or linked or named
        if not found:
            return None
        problem = self._problem(concept, linked, named, found)
        if problem:
            conflicts.append(Conflict(*problem))
            return None
        (one,) = found
        return one if one in named else self._linked(concept, self.concepts[one], conflicts)

    @staticmethod
    def _linked(concept: Concept, known: Concept, conflicts: list[Conflict]) -> str | None:
        """Join by an identifier alone; without a common name the kinds must be known to agree."""
        if _share_a_name(concept, known):
            return known.id
        apart = ANY_KIND in (concept.kind, known.kind)
        kind = "xref_without_name" if apart else "joined_by_xref_alone"
        message = (
            f"({concept.label}) is {known.id} ({known.label}) by identifier; no name in common"
            f"{'; kept apart' if apart else ''}"
        )
        conflicts.append(Conflict(kind, concept.id, message))
        return None if apart else known.id

    def _by_xref(self, concept: Concept) -> set[str]:
        if "xref" not in self.by:
            return set()
        marks = (concept.id, *concept.xrefs)
        return {known for mark in marks for known in self.xrefs.get(mark, ())}

    def _by_name(self, concept: Concept) -> set[str]:
        name, found = normal_name(concept.label), set[str]()
        if "label" in self.by:
            found |= self.labels.get(name, set())
        if "synonym" in self.by and not found:
            found |= self.synonyms.get(name, set())
            for word in concept.synonyms:
                found |= self.labels.get(normal_name(word), set())
        return {one for one in found if _kinds_agree(concept, self.concepts[one])} or found

    def _problem(
        self, concept: Concept, linked: set[str], named: set[str], found: set[str]
    ) -> tuple[str, str, str] | None:
        """Kind, subject and message of the conflict that keeps two concepts apart."""
        listed = ", ".join(sorted(found))
        if linked and named and not linked & named:
            message = (
                f"({concept.label}) is {', '.join(sorted(linked))} by identifier "
                f"but {', '.join(sorted(named))} by name; kept apart"
            )
            return "xref_label_clash", concept.id, message
        if len(found) > 1:
            return "ambiguous", concept.id, f"({concept.label}) may be {listed}; kept apart"
        (one,) = found
        other = self.concepts[one]
        if not _kinds_agree(concept, other):
            message = f"is a {concept.kind}, {one} ({other.label}) a {other.kind}; kept apart"
            return "other_kind", concept.id, message
        return None


def _share_a_name(one: Concept, two: Concept) -> bool:
    first = {normal_name(word) for word in (one.label, *one.synonyms)}
    return not first.isdisjoint(normal_name(word) for word in (two.label, *two.synonyms))


def _kinds_agree(one: Concept, two: Concept) -> bool:
    kinds = {one.kind, two.kind}
    return len(kinds) == 1 or ANY_KIND in kinds or kinds <= CLINICAL


def _renamed(concept: Concept, same: Mapping[str, str]) -> Concept:
    if concept.id not in same:
        return concept
    xrefs = (concept.id, *concept.xrefs) if is_curie(concept.id) else concept.xrefs
    return replace(concept, id=same[concept.id], xrefs=xrefs)


def _edges(edges: Sequence[Edge], same: Mapping[str, str], dropped: Counter[str]) -> list[Edge]:
    kept = []
    for edge in edges:
        subject, target = same.get(edge.subject, edge.subject), same.get(edge.object, edge.object)
        if subject == target and edge.subject != edge.object:
            dropped["edge whose ends are one concept here"] += 1
        else:
            kept.append(replace(edge, subject=subject, object=target))
    return kept


def _renamed_set(one: LabelSet, same: Mapping[str, str]) -> LabelSet:
    return replace(
        one,
        concept=same.get(one.concept, one.concept),
        findings=tuple(same.get(finding, finding) for finding in one.findings),
        no_finding=None if one.no_finding is None else same.get(one.no_finding, one.no_finding),
        with_no_finding=tuple(same.get(finding, finding) for finding in one.with_no_finding),
    )
