"""Lexicon: phrases of the graph to look for in text, with the concept of each.

A phrase is left out where linking it would more often be wrong than right: of a kind of concept
that is not a statement (anatomy, label sets), of a single letter or syllable, too general a word,
or claimed by two concepts neither of which is wider than the other. To the graph's own names come
tables of this folder in own words, each line with its source and, where reading a data set's
development reports suggested it, that data set: `english.tsv`, `translated.tsv` (English that was
Chinese), `chinese.tsv`, and for dialogues `lay.tsv`. A line there may assert (`heart is normal`
states that there is no cardiomegaly), may name several concepts, and one with the concept `-` hides
a phrase that only looks like a finding (`mass effect`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from kg.mentions.abbreviations import abbreviated
from kg.mentions.matcher import FILLERS, Matcher
from kg.mentions.own_tables import table_rows
from kg.mentions.statement import Assertion
from kg.mentions.tokens import BLANK, words
from kg.mentions.variants import variants
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph

LINKED_KINDS = frozenset(
    {
        *("finding", "disease", "symptom", "device", "lab_sign", "complication", "comorbidity"),
        *("procedure", "exposure", "risk_factor", "normality", "image_quality"),
    }
)
"""Kinds of concepts a text can state of a patient; anatomy and bookkeeping are not."""

LEXICON_KINDS = frozenset({"label", "synonym"})
"""Kinds of lexicon phrases that are whole names; word stems and single lemmas are not."""

TOO_GENERAL = frozenset(
    {
        *("normal", "unchanged", "exclude", "line", "enlargement", "abnormality", "calcification"),
        *("support", "marker", "other", "density", "cutoff", "dish", "sclerosis", "surgery"),
        *("clip", "clips", "stable", "male", "man", "inflammation", "necrosis", "tube"),
        *("increase", "shift", "widening", "rotation", "motion", "blister", "bleeding"),
        *("increased density", "lung disease", "heart disease", "pulmonary disease"),
        *("pleural disease", "no finding"),
    }
)
"""Phrases never looked for: alone they say too little. Some are in `english.tsv`, longer."""

SPOKEN_FILLERS = frozenset(
    {
        *("my", "your", "has", "have", "bit", "little", "really", "very", "so", "quite", "feel"),
        *("some", "green", "yellow", "brown", "white", "thick", "clear"),
    }
)
"""Words a phrase of a dialogue may have between its own (`my throat has been a bit sore`)."""

NEGATED = frozenset({"not", "isn't", "aren't", "wasn't", "weren't"})
"""Words inside a phrase of a report that deny it (`the heart is not enlarged`)."""

NOT_A_CONCEPT = "-"


CHRONIC_KINDS = frozenset({"comorbidity", "risk_factor", "exposure", "procedure", "device"})
"""Kinds of concepts a history of which still holds."""


class Entry:
    """Meaning of a phrase.

    Args:
        concepts: Concept ids, most often one; none for a phrase that is to be passed over.
        asserts: What the phrase itself asserts whatever stands around it, or None.
        kinds: Kinds of the concepts.
        denied: Whether a word inside it, where it was found, denies it.

    Attributes:
        chronic: Whether a history of it still holds.
        device: Whether it is a device, which can be taken out.
    """

    def __init__(
        self,
        concepts: tuple[str, ...],
        asserts: Assertion | None = None,
        kinds: frozenset[str] = frozenset(),
        denied: bool = False,
    ) -> None:
        self.concepts, self.asserts, self.denied = concepts, asserts, denied
        self.kinds = kinds
        self.chronic = not CHRONIC_KINDS.isdisjoint(kinds)
        self.device = "device" in kinds

    def but_denied(self) -> Entry:
        """The same where it is denied."""
        return Entry(self.concepts, self.asserts, self.kinds, denied=True)


def entry_of(
    graph: KnowledgeGraph, concepts: Iterable[str], asserts: Assertion | None = None
) -> Entry:
    """The meaning of a phrase for those concepts that a graph has."""
    known = tuple(concept for concept in concepts if concept in graph.index)
    return Entry(known, asserts, frozenset(graph.concept(concept).kind for concept in known))


VARIANT = 3
"""Rank of a variant: after label, synonym and lexicon phrase."""


class _Claim(NamedTuple):
    rank: int
    concept: str


def lexicon(
    graph: KnowledgeGraph, *, left_out: frozenset[str] = frozenset(), spoken: bool = False
) -> Matcher[Entry]:
    """The phrases of a graph, ready to be found in text.

    Args:
        graph: Whose concepts are looked for.
        spoken: Whether the text is a dialogue, where patients' own words count too.
        left_out: Data sets whose own phrases in this folder's tables are not used; phrases the
            graph itself mined from a data set go when it is left out of the graph.
    """
    claims: dict[tuple[str, ...], list[_Claim]] = {}
    for concept in graph.concepts:
        if concept.kind not in LINKED_KINDS:
            continue
        for rank, phrase in _names(concept):
            tokens = words(phrase)
            if _says_enough(phrase, tokens):
                claims.setdefault(tokens, []).append(_Claim(rank, concept.id))
            for other in variants(tokens):
                if _says_enough(phrase, other):
                    claims.setdefault(other, []).append(_Claim(VARIANT, concept.id))
    known = [(tokens, _meaning(graph, claim)) for tokens, claim in claims.items()]
    short = [
        ((token,), entry_of(graph, (concept,)))
        for token, concept in abbreviated()
        if concept in graph.index
    ]
    own = [
        (tokens, entry_of(graph, entry.concepts, entry.asserts))
        for tokens, entry in own_phrases(left_out, spoken=spoken)
        if not entry.concepts or any(concept in graph.index for concept in entry.concepts)
    ]
    # Own phrases come first: they correct wrong names of the graph's sources.
    fillers = FILLERS | {BLANK} | (SPOKEN_FILLERS if spoken else NEGATED | {":"})
    return Matcher([*own, *short, *((t, e) for t, e in known if e is not None)], fillers)


@lru_cache(maxsize=8)
def own_phrases(
    left_out: frozenset[str] = frozenset(), *, spoken: bool = False
) -> tuple[tuple[tuple[str, ...], Entry], ...]:
    """Phrases of this folder's tables, as tokens and meaning, without those of some data sets."""
    return tuple(
        (words(row["phrase"]), Entry(concepts, row.get("asserts") or None))  # type: ignore[arg-type]
        for row in _rows(spoken)
        if row["dataset"] not in left_out or not row["dataset"]
        for concepts in [() if row["concept"] == NOT_A_CONCEPT else tuple(row["concept"].split())]
    )


def _rows(spoken: bool) -> Iterator[dict[str, str]]:
    for name in ("lay.tsv",) * spoken + ("english.tsv", "translated.tsv", "chinese.tsv"):
        yield from table_rows(name)


def _names(concept: Concept) -> Iterator[tuple[int, str]]:
    """Names of a concept with their rank: label, then synonym, then lexicon phrase."""
    yield 0, concept.label
    for synonym in concept.synonyms:
        yield 1, synonym
    for phrase in concept.phrases:
        if phrase.kind in LEXICON_KINDS:
            yield 2, phrase.text


def _says_enough(phrase: str, tokens: tuple[str, ...]) -> bool:
    if not tokens or BLANK in tokens or phrase.lower() in TOO_GENERAL:
        return False
    if any(not token[0].isalnum() for token in tokens):
        return False
    chinese = tokens[0][0] >= "\u3400"
    if len(tokens) == 1:
        return not chinese and len(tokens[0]) >= 3 and tokens[0] not in TOO_GENERAL
    return True


def _meaning(graph: KnowledgeGraph, claims: list[_Claim]) -> Entry | None:
    """The concept with the best claim; of several equal ones the widest, if there is one."""
    best = min(claim.rank for claim in claims)
    concepts = {claim.concept for claim in claims if claim.rank == best}
    if len(concepts) == 1:
        return entry_of(graph, concepts)
    for concept in sorted(concepts):
        if concepts - {concept} <= set(graph.descendants(concept)):
            return entry_of(graph, (concept,))
    return None
