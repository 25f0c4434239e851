"""Phrases that share a word: `pleural effusion or thickening`, `pleural or pericardial effusion`.

A word beside `or`, `and` or `/` that is in no phrase of its own borrows the first words of the
phrase before it, or the last words of the phrase after it, where that makes a phrase.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kg.mentions.lexicon import Entry
from kg.mentions.matcher import Match, Matcher

JOINING: Final = frozenset({"or", "and", "nor", "/", "versus", "vs"})


def with_shared_words(
    tokens: list[str], matches: list[Match[Entry]], phrases: Matcher[Entry]
) -> list[Match[Entry]]:
    """The matches of a sentence with those that only show when a shared word is lent."""
    if JOINING.isdisjoint(tokens):
        return matches
    lent = [
        found
        for match in matches
        if match.end - match.start > 1 and match.meaning.concepts and not match.meaning.asserts
        for found in (*_before(tokens, match, phrases), *_after(tokens, match, phrases))
        if not any(one.start <= found.start < one.end for one in matches)
    ]
    return sorted([*matches, *lent], key=lambda match: match.start) if lent else matches


def _after(
    tokens: list[str], match: Match[Entry], phrases: Matcher[Entry]
) -> Iterator[Match[Entry]]:
    """`pleural effusion or thickening`: the first words are lent to the word after `or`."""
    place = match.end
    while place < len(tokens) and tokens[place] in JOINING:
        place += 1
    if match.end < place < len(tokens):
        found = whole([*tokens[match.start : match.end - 1], tokens[place]], phrases)
        if found is not None:
            yield Match(found, place, place + 1)


def _before(
    tokens: list[str], match: Match[Entry], phrases: Matcher[Entry]
) -> Iterator[Match[Entry]]:
    """`pleural or pericardial effusion`: the last words are lent to the word before `or`."""
    place = match.start - 1
    while place >= 0 and tokens[place] in JOINING:
        place -= 1
    if 0 <= place < match.start - 1:
        found = whole([tokens[place], *tokens[match.start + 1 : match.end]], phrases)
        if found is not None:
            yield Match(found, place, place + 1)


def whole(tokens: list[str], phrases: Matcher[Entry]) -> Entry | None:
    """Meaning of the tokens if all of them are one phrase that names a concept."""
    found = phrases.find(tokens)
    if len(found) == 1 and found[0].end - found[0].start == len(tokens):
        return found[0].meaning if found[0].meaning.concepts else None
    return None
