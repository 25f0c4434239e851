"""Look-up of the concepts of a graph by the names that a source uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from kg.build.align import normal_name
from kg.errors import InputError, did_you_mean
from kg.model.concepts import Concept


class Names:
    """Finds a concept by id, label or synonym, in that order; a name of two concepts finds none.

    Args:
        concepts: The known concepts.
    """

    def __init__(self, concepts: Iterable[Concept]) -> None:
        self.concepts = {concept.id: concept for concept in concepts}
        self._labels: dict[str, set[str]] = defaultdict(set)
        self._synonyms: dict[str, set[str]] = defaultdict(set)
        for concept in self.concepts.values():
            self._labels[normal_name(concept.label)].add(concept.id)
            for word in (*concept.synonyms, *(phrase.text for phrase in concept.phrases)):
                self._synonyms[normal_name(word)].add(concept.id)

    def find(self, name: str) -> str | None:
        """Id of the one concept of this name."""
        for known in (name, f"ckg:{name}"):
            if known in self.concepts:
                return known
        plain = normal_name(name)
        for table in (self._labels, self._synonyms):
            found = table.get(plain, ())
            if len(found) == 1:
                return next(iter(found))
        return None

    def need(self, name: str, where: str) -> str:
        """Id of the one concept of this name.

        Raises:
            InputError: If no concept or several have the name.
        """
        found = self.find(name)
        if found is None:
            known = [concept.label for concept in self.concepts.values()]
            raise InputError(
                f"{where}: no one concept is called {name!r}",
                did_you_mean(name, known) if known else "read a source first",
            )
        return found
