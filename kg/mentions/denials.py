"""Validity of denials: answers in a form, adjacent denials, and denials of another time or place.

An answer closes its field (`Pneumothorax: no`). Two denials side by side are one where they say the
same twice (`no no`), and nothing where one denies the other (`not without`). What is excluded is
left open where the excluding is denied (`does not allow pneumonia to be excluded`). And a denial of
another time, view or side than the mention's denies nothing (`not seen on the prior film`).
"""

from __future__ import annotations

from collections.abc import Sequence

from kg.mentions.cues import FAR, YEAR, Cue
from kg.mentions.matcher import Match
from kg.mentions.scope import BESIDE, COMMAS, MENTION
from kg.mentions.tokens import ITEM

Cues = Match[tuple[Cue, ...]]

CLOSING = COMMAS | {ITEM, ";", ".", ")", "]", "/", "\n", "?", "\u3002", "\uff1b"}
"""Marks after which a field of a form is over."""

BETWEEN = frozenset({"is", "are", "was", "been", "entirely", "completely", "really", "of", "clear"})
"""Words that may stand between a negation and the negation it denies."""

DENIALS = frozenset(
    {
        *("not", "no", "cannot", "can't", "couldn't", "unable", "impossible", "difficult", "hard"),
        *("neither", "never", "nor", "without", "nothing", "insufficient", "inadequate", "hardly"),
    }
)
"""Words that deny a word of exclusion after them."""

DENIED_WITHIN = 8
"""Most words between them."""

PAST = frozenset({"previously", "before", "earlier", "yesterday", "initially", "formerly", "then"})
"""Words that put a denial into the past."""

PAST_STUDIES = frozenset(
    {
        *("prior", "previous", "earlier", "initial", "comparison", "last", "old", "preceding"),
        *("first", "yesterday", YEAR),
    }
)
"""Names of an earlier study."""

PLACES = ("on", "in", "at", "during", "by")

VIEWS = frozenset({"frontal", "lateral", "pa", "ap", "ct", "mri", "radiograph", "ultrasound"})
SIDES = frozenset({"left", "right"})

NEAR = 5
"""Words after a denial that may say where or when it holds."""


def standing(cues: Sequence[Cues], words: Sequence[str]) -> list[Cues]:
    """The cues that stand: answers as answers, a stutter once, a denied denial not at all."""
    kept: list[Cues] = []
    for found in cues:
        read = _as_answer(found, words)
        if read is None:
            continue
        before = kept[-1] if kept else None
        if before and _denies(before) and _denies(read):
            between = words[before.end : read.start]
            if len(between) <= NEAR and BETWEEN.issuperset(between):
                kept.pop()
                if words[before.start] != words[read.start]:
                    continue
        kept.append(read)
    return kept


def _denies(found: Cues) -> bool:
    return any(cue.effect == "absent" for cue in found.meaning)


def _as_answer(found: Cues, words: Sequence[str]) -> Cues | None:
    """A cue as an answer where it is one and else as what it is besides; None where it is nothing.

    A bare `no` before a comma answers a question nobody wrote (`No, I have a cough`).
    """
    answers = tuple(cue for cue in found.meaning if cue.side == "answer")
    if answers and _closes_field(found, words):
        return found._replace(meaning=answers)
    after = words[found.end] if found.end < len(words) else ""
    if after in COMMAS and words[found.start : found.end] == ["no"]:
        return None
    left = {"answer", "first"} if found.start else {"answer"}
    rest = tuple(cue for cue in found.meaning if cue.side not in left)
    return found._replace(meaning=rest) if rest else None


def _closes_field(found: Cues, words: Sequence[str]) -> bool:
    before = words[found.start - 1] if found.start else ""
    closes = found.end == len(words) or words[found.end] in CLOSING or _is_field(words, found.end)
    if before == MENTION:
        return words[found.start] in ("(", "[") or (closes and not words[found.start].isalnum())
    return before in BESIDE and closes


def _is_field(words: Sequence[str], place: int) -> bool:
    """True at a mention before a colon: the next field of a form."""
    first = place
    while place < len(words) and words[place] == MENTION:
        place += 1
    return first < place < len(words) and words[place] == ":"


def left_open(found: Cues, words: Sequence[str]) -> Cues:
    """Assertion of a word of exclusion: absent, or left open if denied."""
    if not any(cue.effect in ("excluded", "exclude") for cue in found.meaning):
        return found
    place = _denial(words, found.start)
    if place is None:
        return found
    start = found.start if MENTION in words[place : found.start] else place
    return found._replace(meaning=(Cue("open", "both", FAR),), start=start)


def _denial(words: Sequence[str], end: int) -> int | None:
    """Position of a word that denies an exclusion at `end` before it in its clause."""
    for place in range(end - 1, max(-1, end - 1 - DENIED_WITHIN), -1):
        if words[place] in DENIALS:
            return place
        if words[place] in COMMAS or words[place] == "and":
            return None
    return None


def of_elsewhere(found: Cues, words: Sequence[str]) -> bool:
    """True if a denial is of another time, view or side than the mention before it."""
    if not any(cue.effect == "absent" and cue.side != "before" for cue in found.meaning):
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
