"""Validity of denials: answers in a form, adjacent denials, and denials of another time or place.

An answer closes its field (`Pneumothorax: no`). Two denials side by side are one where they say the
same twice (`no no`), and nothing where one denies the other (`not without`). What is excluded is
left open where the excluding is denied (`does not allow pneumonia to be excluded`). And a denial of
another time, view or side than the mention's denies nothing (`not seen on the prior film`).
"""

from __future__ import annotations

from typing import Final

from kg.mentions.cues import FAR, YEAR, Cue, Cues
from kg.mentions.matcher import Match
from kg.mentions.scope import BESIDE, COMMAS, MENTION
from kg.mentions.tokens import ITEM

Found = Match[Cues]

LEFT_OPEN = Cues((Cue("open", "both", FAR),))
"""What a word of exclusion is that is denied."""

CLOSING: Final = COMMAS | {ITEM, ";", ".", ")", "]", "/", "\n", "?", "\u3002", "\uff1b"}
"""Marks after which a field of a form is over."""

BETWEEN: Final = frozenset(
    {"is", "are", "was", "been", "entirely", "completely", "really", "of", "clear"}
)
"""Words that may stand between a negation and the negation it denies."""

DENIALS: Final = frozenset(
    {
        *("not", "no", "cannot", "can't", "couldn't", "unable", "impossible", "difficult", "hard"),
        *("neither", "never", "nor", "without", "nothing", "insufficient", "inadequate", "hardly"),
    }
)
"""Words that deny a word of exclusion after them."""

DENIED_WITHIN: Final = 8
"""Most words between them."""

PAST: Final = frozenset(
    {"previously", "before", "earlier", "yesterday", "initially", "formerly", "then"}
)
"""Words that put a denial into the past."""

PAST_STUDIES: Final = frozenset(
    {
        *("prior", "previous", "earlier", "initial", "comparison", "last", "old", "preceding"),
        *("first", "yesterday", YEAR),
    }
)
"""Names of an earlier study."""

PLACES: Final = ("on", "in", "at", "during", "by")

VIEWS: Final = frozenset(
    {"frontal", "lateral", "pa", "ap", "ct", "mri", "radiograph", "ultrasound"}
)
SIDES: Final = frozenset({"left", "right"})

NEAR: Final = 5
"""Words after a denial that may say where or when it holds."""


def standing(cues: list[Found], words: list[str]) -> list[Found]:
    """The cues that stand: answers as answers, a stutter once, a denied denial not at all."""
    kept: list[Found] = []
    for found in cues:
        read = _as_answer(found, words)
        if read is None:
            continue
        before = kept[-1] if kept else None
        if before and before.meaning.denies and read.meaning.denies:
            between = words[before.end : read.start]
            if len(between) <= NEAR and BETWEEN.issuperset(between):
                kept.pop()
                if words[before.start] != words[read.start]:
                    continue
        kept.append(read)
    return kept


def _as_answer(found: Found, words: list[str]) -> Found | None:
    """A cue as an answer where it is one and else as what it is besides; None where it is nothing.

    A bare `no` before a comma answers a question nobody wrote (`No, I have a cough`).
    """
    meaning, start, end = found.meaning, found.start, found.end
    if meaning.answers is not None and _closes_field(found, words):
        return Match(meaning.answers, start, end)
    if end < len(words) and words[end] in COMMAS and words[start:end] == ["no"]:
        return None
    rest = meaning.inside if start else meaning.opening
    if rest is meaning:
        return found
    return None if rest is None else Match(rest, start, end)


def _closes_field(found: Found, words: list[str]) -> bool:
    before = words[found.start - 1] if found.start else ""
    closes = found.end == len(words) or words[found.end] in CLOSING or _is_field(words, found.end)
    if before == MENTION:
        return words[found.start] in ("(", "[") or (closes and not words[found.start].isalnum())
    return before in BESIDE and closes


def _is_field(words: list[str], place: int) -> bool:
    """True at a mention before a colon: the next field of a form."""
    first = place
    while place < len(words) and words[place] == MENTION:
        place += 1
    return first < place < len(words) and words[place] == ":"


def left_open(found: Found, words: list[str]) -> Found:
    """Assertion of a word of exclusion: absent, or left open if denied."""
    if not found.meaning.excludes:
        return found
    place = _denial(words, found.start)
    if place is None:
        return found
    start = found.start if MENTION in words[place : found.start] else place
    return Match(LEFT_OPEN, start, found.end)


def _denial(words: list[str], end: int) -> int | None:
    """Position of a word that denies an exclusion at `end` before it in its clause."""
    for place in range(end - 1, max(-1, end - 1 - DENIED_WITHIN), -1):
        if words[place] in DENIALS:
            return place
        if words[place] in COMMAS or words[place] == "and":
            return None
    return None


def of_elsewhere(found: Found, words: list[str]) -> bool:
    """True if a denial is of another time, view or side than the mention before it."""
    if not found.meaning.denies_before:
        return False
    after, where = "", set[str]()
    for word in words[found.end : found.end + NEAR]:
        if word in COMMAS:
            break
        after = after or word
        where.add(word)
    if after in PAST or after == "last" or "ago" in where:
        return True
    before = words[: found.start]
    aside = {after, *before[-1:]} & SIDES
    if aside:
        return not SIDES.isdisjoint(set(before) - aside)
    if after not in PLACES or "current" in where:
        return False
    if where & PAST_STUDIES:
        return True
    return any(where & kind and set(before) & kind - where for kind in (VIEWS, SIDES))
