"""Search of concepts by their names, for findings that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.serve.refused import Refused
from fusion.system import Basis
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph

__all__ = ["Concepts"]

MOST = 20
"""Concepts of a completion."""


@dataclass(frozen=True)
class Concepts:
    """Concepts of the run's graph.

    Args:
        graph: The graph.
        basis: Basis of an answer for each concept.
    """

    graph: KnowledgeGraph
    basis: Mapping[str, Basis]

    def complete(self, beginning: str) -> list[dict[str, object]]:
        """Concepts with a name that holds the words, those that begin with them first."""
        words = beginning.casefold().strip()
        if not words:
            return []
        found = [
            (rank, len(one.label), one)
            for one in self.graph.concepts
            if (rank := _rank(one, words)) is not None
        ]
        found.sort(key=lambda each: each[:2])
        return [
            {"id": one.id, "label": one.label, "kind": one.kind, "basis": self.basis[one.id]}
            for _, _, one in found[:MOST]
        ]

    def resolve(self, terms: list[str], most: int) -> tuple[str, ...]:
        """Concept ids of terms.

        Args:
            terms: Ids, labels or synonyms.
            most: Largest number of them.

        Raises:
            Refused: If there are too many, or one is no concept.
        """
        if len(terms) > most:
            raise Refused(413, f"{len(terms)} findings are too many", f"ask for at most {most}")
        try:
            return tuple(dict.fromkeys(self.graph.resolve(one.strip()).id for one in terms))
        except InputError as error:
            raise Refused(422, error.message, error.hint) from None


def _rank(concept: Concept, words: str) -> int | None:
    """0 where the label begins so, 1 where another name does, 2 where one holds it; else None."""
    names = [name.casefold() for name in (concept.label, *concept.synonyms)]
    if names[0].startswith(words):
        return 0
    if any(name.startswith(words) for name in names):
        return 1
    return 2 if any(words in name for name in names) or words in concept.id else None
