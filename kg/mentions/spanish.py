"""Spanish reports: words as stems, and the findings, negations and hedges of two tables.

A Spanish word is looked for by its stem (Snowball), without accents, so that `derrames pleurales`
and the stemmed reports of PadChest (`derram pleural`) are read alike. Stems are stemmed again until
they stay: those of PadChest are often longer. Words without content (`de`, `la`, `y`) are passed
over. The tables are written in plain Spanish: `spanish.tsv` as `english.tsv`, `spanish_cues.tsv`
as `cues.tsv`, `spanish_modifiers.tsv` as `modifiers.tsv`. An adjective stands after its noun, or
right before it: what stands before a mention counts for it alone.

The tables were written with the reports of PadChest's development part at hand (nine tenths of its
patients); phrases marked `padchest` follow the conventions of its labels.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Sequence
from functools import cache, lru_cache
from typing import NamedTuple, cast

import snowballstemmer

from kg.mentions.assertion import Judgement, Mention, cue_matcher, judge
from kg.mentions.cues import Cue
from kg.mentions.lexicon import NOT_A_CONCEPT, Entry
from kg.mentions.matcher import Match, Matcher
from kg.mentions.modifiers import Facts, Modifiers, collected, modifier_phrases
from kg.mentions.own_tables import table_rows
from kg.mentions.statement import Assertion
from kg.mentions.tokens import BLANK, Token, sentences

SHORTEST = 4
"""Words with fewer letters stay as they are."""

IRREGULAR = {"masa": "masa", "masas": "masa"}
"""Words whose stem is another word (`mas`)."""

PASSED_OVER = frozenset(
    {
        *("a", "al", "de", "del", "el", "en", "es", "la", "las", "lo", "los", "que", "se", "son"),
        *("su", "sus", "un", "una", "unos", "unas", "y", "e", "ha", "han", "esta", "estan"),
    }
)
"""Words that no phrase and no cue needs."""

FILLERS = frozenset(
    {
        *("derecho", "izquierdo", "ambos", "ambas", "bilateral", "pulmonar", "basal", "bibasal"),
        *("leve", "ligero", "discreto", "minimo", "moderado", "marcado", "importante", "severo"),
        *("pequeño", "gran", "grande", "probable", "posible", "difuso", "signos", "dorsal"),
        *("cardiaco", "aparente", "multiples", "antiguo", "residual", "medio", "superior"),
        *("inferior", "anterior", "posterior", "lateral", "cuerpo", "nivel", "hemitorax", "via"),
        *("traves", "atraves", "acceso", "entrada", "relacion", "compatible", "corresponde", "con"),
    }
)
"""Words a phrase may have between its own (`derrame izquierdo loculado`)."""


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a word, in lower case and without accents."""
    spelled = unicodedata.normalize("NFD", word.lower())
    plain = "".join(letter for letter in spelled if not unicodedata.combining(letter))
    if plain in IRREGULAR:
        return IRREGULAR[plain]
    while len(plain) >= SHORTEST:
        shorter = cast(str, _stemmer().stemWord(plain))
        if shorter == plain:
            break
        plain = shorter
    return plain


@cache
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("spanish")


def stemmed(text: str, sentence: Sequence[Token]) -> list[Token]:
    """The tokens of a sentence of a text as stems, without the words that are passed over."""
    return [
        token if token.word == BLANK else token._replace(word=stem(written))
        for token in sentence
        for written in [text[token.start : token.end]]
        if written.lower() not in PASSED_OVER
    ]


def stems(phrase: str) -> tuple[str, ...]:
    """The stems of a phrase, as they are matched in text."""
    return tuple(t.word for sentence in sentences(phrase) for t in stemmed(phrase, sentence))


ENDS = frozenset({",", ";", ".", "con", "sin", "no", "ni", "o", "pero"})
"""Tokens no modifier reaches across."""


class Said(NamedTuple):
    """A phrase of a sentence, what is asserted of it, and where, how severe and since when."""

    match: Match[Entry]
    judgement: Judgement
    modifiers: Modifiers


class SpanishReader:
    """Finds what a Spanish sentence states.

    Args:
        known: Concepts of the graph.
        left_out: Data sets whose wording must not help.
    """

    def __init__(self, known: Container[str], left_out: frozenset[str] = frozenset()) -> None:
        phrases = [
            (stems(row["phrase"]), Entry(concepts, cast(Assertion, row["asserts"]) or None))
            for row in table_rows("spanish.tsv")
            if not row["dataset"] or row["dataset"] not in left_out
            for concepts in [tuple(one for one in row["concept"].split() if one in known)]
            if concepts or row["concept"] == NOT_A_CONCEPT
        ]
        self._phrases = Matcher(phrases, frozenset(stem(word) for word in FILLERS))

    def read(self, words: Sequence[str]) -> list[Said]:
        """The phrases of a sentence of stems, and what is said of each."""
        found = self._phrases.find(words)
        mentions = [Mention(one.start, one.end, asserts=one.meaning.asserts is not None)
                    for one in found]  # fmt: skip
        judged = judge(words, mentions, cues_of=_cues())
        modifiers = _modifiers(words, [(one.start, one.end) for one in found])
        return [Said(*said) for said in zip(found, judged, modifiers, strict=True)]


def _modifiers(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> list[Modifiers]:
    """Modifiers of each mention: those inside it and after it, and an adjective right before it."""
    found = _modifier_matcher().find(words) if spans else []
    starts = {start for start, _ in spans}
    before = {one.end: one for one in found if one.end in starts and not _is_place(one.meaning)}
    made = []
    for (start, end), after in zip(spans, [*(s for s, _ in spans[1:]), len(words)], strict=False):
        high = next((place for place in range(end, after) if words[place] in ENDS), after)
        own = [
            one.meaning
            for one in found
            if (start <= one.start and one.end <= high and one.end not in before)
            or one is before.get(start)
        ]
        made.append(collected(own))
    return made


def _is_place(facts: Facts) -> bool:
    return any(kind in ("site", "side") for kind, _ in facts)


@cache
def _modifier_matcher() -> Matcher[Facts]:
    return Matcher(modifier_phrases("spanish_modifiers.tsv", stems))


@cache
def _cues() -> Matcher[tuple[Cue, ...]]:
    return cue_matcher("spanish_cues.tsv", tokens=stems)
