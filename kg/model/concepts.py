"""Concepts of the graph: names, kind and source of each."""

from __future__ import annotations

from dataclasses import dataclass

ANY_KIND = "term"
"""Kind of a concept whose source states none."""


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
        source: Source of the concept.
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
