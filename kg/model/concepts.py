"""Concepts of the graph: names, kind and source of each."""

from __future__ import annotations

from dataclasses import dataclass

ANY_KIND = "term"
"""Kind of a concept whose source states none."""

DEFINED_BY = "definition: "
"""Begins the item of a concept's source that its definition is from."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that names a concept in text.

    Args:
        text: The words, lower case.
        kind: `label`, `synonym`, `mention_stem`, ... as in the lexicon.
        source: Source of the phrase.
        language: Language of the words, `en` or `zh`.
        dataset: Data set the phrase was mined from, or None when it was not mined.
    """

    text: str
    kind: str
    source: str
    language: str = "en"
    dataset: str | None = None


@dataclass(frozen=True, slots=True)
class Concept:
    """A finding, disease, symptom, anatomical site, modality or label set.

    Args:
        id: Stable identifier, for example `ckg:atelectasis`.
        label: Preferred name.
        kind: `finding`, `disease`, `symptom`, `anatomy`, `label_set`, ...
        synonyms: Other names.
        xrefs: Identifiers in other vocabularies, as CURIEs.
        phrases: Phrases that name the concept in text, with their sources.
        definition: A sourced definition, or empty.
        source: Source of the concept; several are separated by ` || `.
        dataset: Data set the concept was mined from, or None when it was not mined.
    """

    id: str
    label: str
    kind: str
    synonyms: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    definition: str = ""
    source: str = ""
    dataset: str | None = None

    @property
    def known_from(self) -> str:
        """The items of its source without the one that its definition is from."""
        items = self.source.split(" || ")
        return " || ".join(item for item in items if not item.startswith(DEFINED_BY))

    @property
    def definition_source(self) -> str:
        """Source of the definition: the item that says so, else what the concept is from."""
        if not self.definition:
            return ""
        items = self.source.split(" || ")
        named = (item.removeprefix(DEFINED_BY) for item in items if item.startswith(DEFINED_BY))
        return next(named, self.source)
