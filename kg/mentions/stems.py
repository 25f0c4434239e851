"""Spanish words as stems, so that written and stemmed reports are read alike.

A word is looked for by its stem (Snowball), without accents: `derrames pleurales` and the stemmed
reports of PadChest (`derram pleural`) give the same. Stems are stemmed again until they stay: those
of PadChest are often longer. Words without content (`de`, `la`, `y`) are passed over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import cast

import snowballstemmer

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
