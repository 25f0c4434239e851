"""Concepts of the graph: what each is called, what kind it is, and where that is known from."""

from __future__ import annotations

from dataclasses import dataclass

ANY_KIND = "term"
"""Kind of a concept whose source does not say what it is."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way a concept is written in text.

    Args:
        text: The words, lower case.
        kind: `label`, `synonym`, `mention_stem`, ... as in the lexicon.
        source: Where the phrase is known from.
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
        phrases: Ways the concept is written in text, with their sources.
        definition: A sourced definition, or empty.
        source: Where the concept is known from.
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
