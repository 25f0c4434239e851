"""KnowledgeGraph: ordered concepts, typed edges with provenance, one fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from kg.errors import InputError, did_you_mean
from kg.model.concepts import Concept
from kg.model.edges import IS_A, RELATIONS, Edge, is_curie
from kg.model.plain import as_plain


@dataclass(frozen=True)
class LabelSet:
    """The findings a data set is labelled with, as concepts of the graph.

    Args:
        name: Short name, for example `nih14`.
        concept: The set's own concept in the graph.
        findings: Concept ids in the set's published order.
        columns: Published column or label name of each finding, in the same order.
        exclusive: True if exactly one finding holds (softmax instead of sigmoids).
        no_finding: The concept that says none of the others holds, or None.
        with_no_finding: Findings that may hold beside `no_finding` (support devices).
    """

    name: str
    concept: str
    findings: tuple[str, ...]
    columns: tuple[str, ...]
    exclusive: bool = False
    no_finding: str | None = None
    with_no_finding: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnowledgeGraph:
    """A clinical knowledge graph.

    Concepts are ordered by id and edges by their key, so one content has one order and one
    fingerprint. Immutable: every change gives a new graph.

    Args:
        concepts: The concepts (`N`).
        edges: The edges (`E`), each with at least one item of evidence.
        label_sets: The label sets whose findings are concepts of this graph.
        name: Name of the graph in records.

    Raises:
        InputError: On two concepts with one id, an edge without evidence, an edge written
            twice, a dangling end, or an unknown relation.
    """

    concepts: tuple[Concept, ...]
    edges: tuple[Edge, ...]
    label_sets: tuple[LabelSet, ...] = ()
    name: str = "graph"

    def __post_init__(self) -> None:
        object.__setattr__(self, "concepts", tuple(sorted(self.concepts, key=lambda c: c.id)))
        object.__setattr__(self, "edges", tuple(sorted(self.edges, key=lambda e: e.key)))
        self._check()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def _check(self) -> None:
        if len(self.index) != len(self.concepts):
            ids = [concept.id for concept in self.concepts]
            twice = next(a for a, b in zip(ids, ids[1:], strict=False) if a == b)
            raise InputError(f"{self.name}: two concepts have the id {twice}", "merge them")
        before = None
        for edge in self.edges:
            key = edge.key
            if (
                key == before
                or not edge.evidence
                or edge.subject not in self.index
                or edge.object not in self.index
                or (edge.relation not in RELATIONS and not is_curie(edge.relation))
            ):
                self._refuse(edge, twice=key == before)
            before = key

    def _refuse(self, edge: Edge, *, twice: bool) -> None:
        """Raise an error that names the fault of an edge."""
        name = f"{self.name}: {edge.subject} {edge.relation} {edge.object}"
        if twice:
            raise InputError(f"{name}: the edge is there twice", "merge evidence")
        if not edge.evidence:
            raise InputError(f"{name}: the edge has no evidence", "name its source")
        for end in (edge.subject, edge.object):
            if end not in self.index:
                raise InputError(f"{name}: no concept {end}", "add the concept")
        raise InputError(f"{name}: unknown relation", did_you_mean(edge.relation, RELATIONS))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Position of each concept id."""
        return {concept.id: place for place, concept in enumerate(self.concepts)}

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """Relations in use (`R`), sorted."""
        return tuple(sorted({edge.relation for edge in self.edges}))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over concepts, edges, evidence and label sets, in canonical JSON."""
        digest = hashlib.sha256()
        records: tuple[Concept | Edge | LabelSet, ...] = (
            *self.concepts,
            *self.edges,
            *self.label_sets,
        )
        for record in records:
            line = json.dumps(as_plain(record), sort_keys=True, ensure_ascii=False)
            digest.update(type(record).__name__.encode() + line.encode() + b"\n")
        return digest.hexdigest()

    @cached_property
    def _by_end(self) -> Mapping[str, tuple[Edge, ...]]:
        ends: dict[str, list[Edge]] = {concept.id: [] for concept in self.concepts}
        for edge in self.edges:
            ends[edge.subject].append(edge)
            if edge.object != edge.subject:
                ends[edge.object].append(edge)
        return {concept: tuple(edges) for concept, edges in ends.items()}

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, ...]]:
        names: dict[str, list[str]] = {}
        for concept in self.concepts:
            for word in {concept.id, concept.label, *concept.synonyms}:
                names.setdefault(word.casefold(), []).append(concept.id)
        return {word: tuple(ids) for word, ids in names.items()}

    def concept(self, concept_id: str) -> Concept:
        """The concept with this id.

        Raises:
            InputError: If there is none.
        """
        if concept_id not in self.index:
            raise InputError(f"no concept {concept_id}", did_you_mean(concept_id, self.index))
        return self.concepts[self.index[concept_id]]

    def resolve(self, term: str) -> Concept:
        """The concept that a term names: by id, label or synonym, in that order.

        Raises:
            InputError: If nothing, or more than one concept, is called that.
        """
        if term in self.index:
            return self.concept(term)
        if f"ckg:{term}" in self.index:
            return self.concept(f"ckg:{term}")
        found = self._by_name.get(term.casefold(), ())
        preferred = [c for c in found if self.concept(c).label.casefold() == term.casefold()]
        candidates = preferred or list(found)
        if len(candidates) == 1:
            return self.concept(candidates[0])
        if candidates:
            listed = ", ".join(f"{c} ({self.concept(c).label})" for c in candidates)
            raise InputError(f"{term!r} means more than one concept", f"choose of: {listed}")
        raise InputError(f"no concept is called {term!r}", did_you_mean(term, self._by_name))

    def edges_of(self, concept_id: str, relation: str | None = None) -> tuple[Edge, ...]:
        """Edges that start or end at a concept, optionally of one relation."""
        edges = self._by_end.get(concept_id, ())
        return edges if relation is None else tuple(e for e in edges if e.relation == relation)

    def ancestors(self, concept_id: str, along: tuple[str, ...] = (IS_A,)) -> tuple[str, ...]:
        """Every wider concept, nearest first, without the concept itself.

        Args:
            concept_id: The concept.
            along: Relations that lead from a narrower to a wider concept.
        """
        return self._walk(
            concept_id, lambda edge, at: edge.object if edge.subject == at else "", along
        )

    def descendants(self, concept_id: str) -> tuple[str, ...]:
        """Every narrower concept by `is_a`, nearest first, without the concept itself."""
        return self._walk(concept_id, lambda edge, at: edge.subject if edge.object == at else "")

    def _walk(
        self,
        start: str,
        step: Callable[[Edge, str], str],
        along: tuple[str, ...] = (IS_A,),
    ) -> tuple[str, ...]:
        seen, queue = {start: None}, [start]
        while queue:
            here = queue.pop(0)
            for edge in self.edges_of(here):
                after = step(edge, here) if edge.relation in along else ""
                if after and after not in seen:
                    seen[after] = None
                    queue.append(after)
        return tuple(seen)[1:]

    def label_set(self, name: str) -> LabelSet:
        """The label set called `name`.

        Raises:
            InputError: If the graph has no such label set.
        """
        for label_set in self.label_sets:
            if name in (label_set.name, label_set.concept):
                return label_set
        known = [label_set.name for label_set in self.label_sets]
        raise InputError(f"no label set {name!r} in {self.name}", did_you_mean(name, known))

    def with_edges(self, edges: Iterable[Edge], *, name: str | None = None) -> KnowledgeGraph:
        """The same concepts and label sets with other edges."""
        return replace(self, edges=tuple(edges), name=name or self.name)
