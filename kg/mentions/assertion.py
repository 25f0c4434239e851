"""Assertion of each mention by its sentence: present, absent, uncertain, or nothing.

Plain negation and hedging: a cue acts on the mentions within its scope (`scope.py`). Of two
readings (`atelectasis versus scar`) only the nearest on each side is one. Negation is stronger than
a hedge, what is left open on purpose (`not excluded`) stronger than negation, and a condition
stronger than all. A negation said twice is one (`no no`), one denied by another says nothing, and
one of another time, view or side says nothing of here and now (`not seen on the prior film`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from kg.mentions.cues import NUMBER, YEAR, Cue, Cues, Effect, cue_matcher
from kg.mentions.denials import left_open, of_elsewhere, standing
from kg.mentions.lexicon import Entry
from kg.mentions.matcher import Match
from kg.mentions.scope import (
    COMMAS,
    MENTION,
    Clauses,
    clause_starts,
    of_another,
    scope_ahead,
    scope_back,
)
from kg.mentions.statement import Assertion
from kg.mentions.tokens import CUE, FIGURE, ITEM, Words

_ASSERTS: dict[Effect, Assertion | None] = {
    "history": "uncertain",
    "probable": "uncertain",
    "alternative": "uncertain",
    "uncertain": "uncertain",
    "exclude": "uncertain",
    "excluded": "absent",
    "removed": "absent",
    "absent": "absent",
    "kept": "present",
    "open": "uncertain",
    "nothing": None,
}
"""Assertion of each effect, the weakest first."""

_STRENGTH = {effect: place for place, effect in enumerate(_ASSERTS)}


class Judgement:
    """Assertion of a mention (None = the sentence states nothing), with its rule."""

    def __init__(self, assertion: Assertion | None, rule: str) -> None:
        self.assertion, self.rule = assertion, rule


PLAIN: Final = Judgement("present", "plain")

APART: Final = COMMAS | {"with", "without"}
"""Words between two mentions that are not two readings of one thing."""

_YEAR: Final = re.compile(r"(?:19|20)\d\d")

LAST_BEFORE: Final = COMMAS | {
    ITEM,
    ".",
    ";",
    ")",
    "\n",
    "?",
    "in",
    "given",
    "but",
    "and",
    "or",
    "at",
    "on",
}
"""Words that may follow a cue that is the last of its clause."""

DOUBTED: Final = frozenset({"borderline", "or"})
"""Words that make a mention doubtful without being a cue."""

ALTERNATIVE_GAP: Final = 5
"""Most tokens between two mentions that are two readings of one thing."""


Mention = Match[Entry]
"""A mention in its sentence. If its words themselves assert something, cues inside it still act on
other mentions (`lungs are clear` in `the lungs are clear of infiltrate`)."""

_CUES: Final = cue_matcher("written_cues.tsv", "cues.tsv")
_SPOKEN_CUES: Final = cue_matcher("spoken_cues.tsv", "cues.tsv")

CUE_WORDS: Final = frozenset(_CUES.vocabulary | _SPOKEN_CUES.vocabulary)
"""Every word of the cues."""


def bears_on_mentions(word: str) -> bool:
    """True if a word may begin a cue or make a mention doubtful; without any, all are present."""
    sign = _sign(word)
    return _CUES.opens(sign) or _SPOKEN_CUES.opens(sign) or word in DOUBTED


def judge(sentence: Words, mentions: list[Mention], *, spoken: bool = False) -> list[Judgement]:
    """Assertions of the mentions of a sentence, written or spoken, in order."""
    words, masked = sentence.words, _masked(sentence, mentions)
    cues = (_SPOKEN_CUES if spoken else _CUES).find(masked, sentence.that_may_be(CUE))
    cues = standing(cues, masked)
    cues = [left_open(found, masked) for found in cues if not of_elsewhere(found, masked)]
    effects: list[dict[Effect, str]] = [{} for _ in mentions]
    if any([found.meaning.acts for found in cues]):
        stops = clause_starts(words)
        for found in cues:
            if found.meaning.ends:
                stops.add(found.end)
            if found.meaning.parts:
                stops.add(found.start)
        openings = {found.start for found in cues if found.meaning.opens}
        clauses = Clauses(words, masked, sorted(stops), openings)
        for found in cues:
            if found.meaning.acts:
                _act(found, clauses, mentions, effects)
    judged = [
        _strongest(effects[place], mention.meaning)
        if effects[place] or mention.meaning.denied
        else PLAIN
        for place, mention in enumerate(mentions)
    ]
    return _with_own_doubt(words, mentions, judged)


def _masked(sentence: Words, mentions: list[Mention]) -> list[str]:
    """The words with signs in the place of mentions that assert nothing, years and numbers."""
    masked = sentence.words.copy()
    if sentence.any_hints & FIGURE:
        masked = [_sign(word) for word in masked]
    for mention in mentions:
        if mention.meaning.asserts is None:
            for place in range(mention.start, mention.end):
                masked[place] = MENTION
    return masked


def is_figure(word: str) -> bool:
    """True at a year or another number."""
    return word[0].isdigit() and word != "0"


def _sign(word: str) -> str:
    """The sign of a year or another number, and any other word itself."""
    if not is_figure(word):
        return word
    return YEAR if _YEAR.fullmatch(word) else NUMBER


def _with_own_doubt(
    words: list[str], mentions: list[Mention], judged: list[Judgement]
) -> list[Judgement]:
    """Two plain mentions joined by `or` are two readings of one thing (`atelectasis or scar`).

    A mention that is said to be borderline in its very words is held for likely.
    """
    if DOUBTED.isdisjoint(words):
        return judged
    made = list(judged)
    if "borderline" in words:
        for place, mention in enumerate(mentions):
            if made[place] is PLAIN and "borderline" in words[mention.start : mention.end]:
                made[place] = Judgement("uncertain", "probable_borderline")
    if "or" not in words or len(mentions) < 2:
        return made
    for place, (first, second) in enumerate(pairwise(mentions)):
        between = words[first.end : second.start]
        if "or" not in between or len(between) > ALTERNATIVE_GAP or APART & set(between):
            continue
        if judged[place] is judged[place + 1] is PLAIN and not (
            first.meaning.asserts or second.meaning.asserts
        ):
            made[place] = made[place + 1] = Judgement("uncertain", "alternative_or")
    return made


def _act(
    found: Match[Cues],
    clauses: Clauses,
    mentions: list[Mention],
    effects: list[dict[Effect, str]],
) -> None:
    """Write a cue's effect to the mentions in its scope; back only where it finds none ahead."""
    acted = False
    for cue in found.meaning.all:
        if not cue.acts:
            continue
        reached: list[int] = []
        if cue.ahead or cue.side == "both":
            reached += _ahead(found, cue, clauses, mentions)
        if cue.side == "both" or not (cue.ahead or acted):
            reached += _back(found, cue, clauses, mentions)
        for place in reached:
            if cue.effect != "removed" or mentions[place].meaning.device:
                effects[place].setdefault(cue.effect, cue.rule)
                acted = True


def _ahead(found: Match[Cues], cue: Cue, clauses: Clauses, mentions: list[Mention]) -> list[int]:
    """Places of the mentions a cue acts on to its right."""
    start, end = scope_ahead(found, cue, clauses)
    reached = _within(mentions, start, end)
    if cue.effect == "alternative":
        return reached[:1]
    if cue.effect != "absent":
        return reached
    kept: list[int] = []
    at = parted = start
    for place in reached:
        mention = mentions[place]
        comma = not COMMAS.isdisjoint(clauses.words[at : mention.start])
        if parted > start and not comma:
            continue
        at = mention.end
        if of_another(clauses.words, start, mention.start):
            parted = mention.end
        else:
            parted = start
            kept.append(place)
    return kept


def _back(found: Match[Cues], cue: Cue, clauses: Clauses, mentions: list[Mention]) -> list[int]:
    """Places of the mentions a cue acts on to its left."""
    after = clauses.words[found.end : found.end + 1]
    if cue.side == "last" and after and after[0] not in LAST_BEFORE:
        return []
    reached = _within(mentions, scope_back(found, cue, clauses), found.start)
    return reached[-1:] if cue.effect == "alternative" else reached


def _within(mentions: list[Mention], low: int, high: int) -> list[int]:
    """Places of the mentions that lie within tokens `[low, high)`."""
    return [
        place
        for place, mention in enumerate(mentions)
        if low <= mention.start and mention.end <= high
    ]


def _strongest(effects: dict[Effect, str], named: Entry) -> Judgement:
    if named.denied:
        effects = {**effects, "absent": "absent_inside"}
    if named.chronic and "history" in effects:
        effects = {effect: rule for effect, rule in effects.items() if effect != "history"}
    if not effects:
        return PLAIN
    effect = max(effects, key=_STRENGTH.__getitem__)
    return Judgement(_ASSERTS[effect], effects[effect])


def clause_spans(words: list[str]) -> list[tuple[int, int]]:
    """Token spans `[first, last)` of the clauses of a sentence, in order."""
    starts = {0, len(words)} | clause_starts(words)
    starts |= {
        found.start
        for found in _CUES.find(words)
        if words[found.start].isalpha() and found.meaning.ends
    }
    bounds = sorted(starts)
    return list(zip(bounds, bounds[1:], strict=False))
