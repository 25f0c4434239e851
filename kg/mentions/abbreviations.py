"""Ambiguous abbreviations (`PE`), resolved by their sentence.

A meaning of `abbreviations.tsv` is chosen where more of its own words stand in the sentence than of
any other meaning's; of two alike, or where nothing speaks for one, the abbreviation says nothing.
A meaning without words of its own is the common one, and any word for another is stronger.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from kg.mentions.own_tables import table_rows
from kg.mentions.tokens import words as tokens_of

TABLE = "abbreviations.tsv"

COMMON = 0.5
"""Weight of a meaning without words of its own."""


class Meaning(NamedTuple):
    """One meaning of an abbreviation.

    Args:
        phrase: Its phrase as one token, or the abbreviation itself without one.
        beside: Words of the same sentence that support it.
    """

    phrase: str
    beside: frozenset[str]


def spelled_out(words: list[str]) -> list[str]:
    """Words with each abbreviation in the place of its meaning, token by token."""
    meanings, around = _meanings(), set(words)
    return [_chosen(word, around) if word in meanings else word for word in words]


def is_abbreviation(word: str) -> bool:
    """True if a word is an abbreviation of several meanings."""
    return word in _meanings()


def abbreviated() -> list[tuple[str, str]]:
    """Token that stands for a meaning, and the concept it means."""
    return [(_token(row), row["concept"]) for row in table_rows(TABLE) if row["concept"]]


def _chosen(word: str, around: set[str]) -> str:
    scores = {
        meaning.phrase: len(meaning.beside & around) if meaning.beside else COMMON
        for meaning in _meanings()[word]
    }
    best = max(scores.values())
    told = [phrase for phrase, score in scores.items() if score == best > 0]
    return told[0] if len(told) == 1 else word


@cache
def _meanings() -> dict[str, list[Meaning]]:
    made: dict[str, list[Meaning]] = {}
    for row in table_rows(TABLE):
        beside = frozenset(tokens_of(row["beside"]))
        made.setdefault(row["abbreviation"], []).append(Meaning(_token(row), beside))
    return made


def _token(row: dict[str, str]) -> str:
    return f"{row['abbreviation']}={row['concept']}" if row["concept"] else row["abbreviation"]
