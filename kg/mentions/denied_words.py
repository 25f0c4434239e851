"""Names with a denied word inside or before them: `heart is not enlarged`, `non-calcified nodule`.

A denied adjective is taken off its name: a nodule that is not calcified is a nodule. A name of one
word with `non` before it is denied (`non-COVID pneumonia`), unless it only tells what kind of
person somebody is (`non-smoker`), which then states nothing.
"""

from __future__ import annotations

from typing import Final

from kg.mentions.coordination import whole
from kg.mentions.lexicon import NEGATED, Entry
from kg.mentions.matcher import Match, Matcher

DENYING: Final = NEGATED | {"non"}


def with_denied_words(
    words: list[str], matches: list[Match[Entry]], phrases: Matcher[Entry]
) -> list[Match[Entry]]:
    """The matches of a sentence after the denied words in and before them are counted in.

    Args:
        words: The sentence's tokens.
        matches: Names found in them.
        phrases: All names.
    """
    if DENYING.isdisjoint(words):
        return matches
    return [
        read
        for match in matches
        for read in _read(words, match, phrases)
        if read.start >= match.start or not read.meaning.chronic
    ]


def _read(words: list[str], match: Match[Entry], phrases: Matcher[Entry]) -> list[Match[Entry]]:
    if match.meaning.asserts is not None:
        return [match]
    if not NEGATED.isdisjoint(words[match.start + 1 : match.end]):
        return [_denied(match, match.start, match.end)]
    before = words[match.start - 1] if match.start else ""
    if before != "non" and not (before == "not" and words[match.start].endswith("ed")):
        return [match]
    start = match.start - 1
    for place in range(match.start + 1, match.end):
        rest = whole(words[place : match.end], phrases)
        if rest is None or (before == "not" and rest.concepts == match.meaning.concepts):
            continue
        named = whole(words[match.start : place], phrases)
        if named is None:
            return [Match(rest, start, match.end)]
        return [_denied(Match(named, 0, 0), start, place), Match(rest, place, match.end)]
    return [match] if before == "not" else [_denied(match, start, match.end)]


def _denied(match: Match[Entry], start: int, end: int) -> Match[Entry]:
    return Match(match.meaning.but_denied(), start, end)
