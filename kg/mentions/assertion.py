"""Decide what a sentence asserts of each mention in it: present, absent, uncertain, or nothing.

Plain negation and hedging: a cue acts on mentions within its clause. A clause ends with its
sentence, at words such as `but` or `there is`, and at a comma that opens a new clause with a verb
of its own; a comma in a list does not end it (`no effusion, consolidation or pneumothorax`). A
hedge ends at any comma after which no `or` follows. Of two readings (`atelectasis versus scar`)
only the nearest on each side is one. Negation is stronger than a hedge, and a condition stronger
than both; a negation directly denied by another says nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kg.mentions.cues import Cue, Effect, cue_phrases
from kg.mentions.matcher import Match, Matcher
from kg.mentions.statement import Assertion
from kg.mentions.tokens import words as tokens_of

VERBS = frozenset(
    {
        *("is", "are", "was", "were", "am", "has", "have", "had", "been", "there", "i"),
        *("remain", "appear", "show", "demonstrate", "persist", "measure", "project", "contain"),
        *("reveal", "extend"),
    }
)
"""Words that make the words after a comma a clause of its own."""

SEEN = frozenset(
    {
        *("seen", "identified", "noted", "present", "visualized", "appreciated", "detected"),
        *("shown", "evident", "demonstrated", "observed", "suspected", "visible", "apparent"),
        "not",
    }
)
"""Words after a verb that only close a list (`no effusion, pneumothorax or mass is seen`)."""

GONE = frozenset({"cleared", "resolved"})
"""The same where the last item of the list is joined by `and`."""

BETWEEN_NEGATIONS = frozenset({"is", "are", "was", "been", "entirely", "completely", "really"})
"""Words that may stand between a negation and the negation it denies."""

ALTERNATIVES = frozenset({"or", "versus", "vs", "nor"})

JOINS = ALTERNATIVES | {"and"}

COMMAS = frozenset({",", "\uff0c"})

_ASSERTS: dict[Effect, Assertion | None] = {
    "history": "uncertain",
    "probable": "uncertain",
    "alternative": "uncertain",
    "uncertain": "uncertain",
    "absent": "absent",
    "nothing": None,
}
"""What each effect asserts, the weakest first."""

_STRENGTH = {effect: place for place, effect in enumerate(_ASSERTS)}

_HEDGES = frozenset({"uncertain", "probable", "history"})


class Judgement(NamedTuple):
    """What is asserted of a mention (None = the sentence states nothing) and by which rule."""

    assertion: Assertion | None
    rule: str


PLAIN = Judgement("present", "plain")

APART = COMMAS | {"with", "without"}
"""Words between two mentions that are not two readings of one thing."""

ALTERNATIVE_GAP = 5
"""Most tokens between two mentions that are two readings of one thing."""


class Mention(NamedTuple):
    """Where a mention stands in its sentence, in tokens `[start, end)`.

    Args:
        start: First token.
        end: One past the last token.
        chronic: Whether a history of it still holds.
        asserts: Whether its words themselves assert something, so that cues inside it still act
            on other mentions (`lungs are clear` in `the lungs are clear of infiltrate`).
    """

    start: int
    end: int
    chronic: bool = False
    asserts: bool = False


class _Clauses(NamedTuple):
    """A sentence with its mentions masked, where clauses end, and where a cue opens a scope."""

    words: Sequence[str]
    stops: Sequence[int]
    openings: set[int]


_MENTION = "\0"


def _cue_matcher(*tables: str) -> Matcher[tuple[Cue, ...]]:
    """The cues of some tables; words that stand in several act as the first one says."""
    cues: dict[tuple[str, ...], list[Cue]] = {}
    for table in tables:
        own: dict[tuple[str, ...], list[Cue]] = {}
        for phrase, cue in cue_phrases(table):
            own.setdefault(tokens_of(phrase), []).append(cue)
        cues = {**own, **cues}
    return Matcher((tokens, tuple(found)) for tokens, found in cues.items())


_CUES = _cue_matcher("cues.tsv")
_SPOKEN_CUES = _cue_matcher("spoken_cues.tsv", "cues.tsv")

CUE_WORDS = frozenset(_SPOKEN_CUES.vocabulary)
"""Every word of the cues."""


def judge(
    words: Sequence[str], mentions: Sequence[Mention], *, spoken: bool = False
) -> list[Judgement]:
    """What a sentence, written or spoken, asserts of its mentions, given in order."""
    masked = list(words)
    for mention in mentions:
        if not mention.asserts:
            width = mention.end - mention.start
            masked[mention.start : mention.end] = [_MENTION] * width
    matcher = _SPOKEN_CUES if spoken else _CUES
    cues = _once([found for found in matcher.find(masked) if not _void(found, words)], masked)
    if not cues:
        return _with_own_doubt(words, mentions, [PLAIN] * len(mentions))
    stops = clause_starts(words)
    for found in cues:
        if any(cue.effect == "ends" for cue in found.meaning):
            stops |= {found.start, found.end}
    openings = {found.start for found in cues if any(cue.side == "before" for cue in found.meaning)}
    clauses = _Clauses(masked, sorted(stops), openings)
    effects: list[dict[Effect, str]] = [{} for _ in mentions]
    for found in cues:
        _act(found, clauses, mentions, effects)
    judged = [
        _strongest(effect, mention.chronic)
        for effect, mention in zip(effects, mentions, strict=True)
    ]
    return _with_own_doubt(words, mentions, judged)


def _with_own_doubt(
    words: Sequence[str], mentions: Sequence[Mention], judged: list[Judgement]
) -> list[Judgement]:
    """Two plain mentions joined by `or` are two readings of one thing (`atelectasis or scar`).

    A mention that is said to be borderline in its very words is held for likely.
    """
    made = list(judged)
    if "borderline" in words:
        for place, mention in enumerate(mentions):
            if made[place] == PLAIN and "borderline" in words[mention.start : mention.end]:
                made[place] = Judgement("uncertain", "probable_borderline")
    if "or" not in words or len(mentions) < 2:
        return made
    for place, (first, second) in enumerate(pairwise(mentions)):
        between = words[first.end : second.start]
        if "or" not in between or len(between) > ALTERNATIVE_GAP or APART & set(between):
            continue
        if judged[place] == judged[place + 1] == PLAIN and not (first.asserts or second.asserts):
            made[place] = made[place + 1] = Judgement("uncertain", "alternative_or")
    return made


def clause_starts(words: Sequence[str]) -> set[int]:
    """Positions where a comma opens a clause with a verb of its own (in Chinese, any comma).

    A verb that only closes a list (`no effusion, pneumothorax or mass is seen`) opens one where
    the list was closed before (`no nodes are seen in the hilum, a mass is seen`).
    """
    commas = [place for place, word in enumerate(words) if word in COMMAS]
    starts = set()
    first = 0
    for comma, after in zip(commas, [*commas, len(words)][1:], strict=True):
        segment = words[comma + 1 : after]
        closed = _closes(words[first:comma]) and _closes(segment) and segment[0] not in ALTERNATIVES
        if words[comma] == "\uff0c" or closed or _is_clause(segment):
            starts.add(comma + 1)
            first = comma + 1
    return starts


def _closes(segment: Sequence[str]) -> bool:
    """Whether a verb closes a list here (`... is seen`)."""
    return any(one in VERBS and after in SEEN for one, after in pairwise(segment))


def _is_clause(segment: Sequence[str]) -> bool:
    if not segment or segment[0] in ("or", "nor"):
        return False
    closing = SEEN | GONE if segment[0] == "and" else SEEN
    return any(
        word in VERBS and not (place + 1 < len(segment) and segment[place + 1] in closing)
        for place, word in enumerate(segment)
    )


def _void(found: Match[tuple[Cue, ...]], words: Sequence[str]) -> bool:
    """Whether a cue is only an answer (`No, I have a cough`)."""
    after = words[found.end] if found.end < len(words) else ""
    return found.end - found.start == 1 and words[found.start] == "no" and after in COMMAS


def _once(
    cues: Sequence[Match[tuple[Cue, ...]]], words: Sequence[str]
) -> list[Match[tuple[Cue, ...]]]:
    """The cues without negations of a negation (`never is without cough`): both fall away."""
    kept: list[Match[tuple[Cue, ...]]] = []
    for found in cues:
        before = kept[-1] if kept else None
        if before and _denies(before) and _denies(found):
            between = words[before.end : found.start]
            if len(between) <= len(BETWEEN_NEGATIONS) and BETWEEN_NEGATIONS.issuperset(between):
                kept.pop()
                continue
        kept.append(found)
    return kept


def _denies(found: Match[tuple[Cue, ...]]) -> bool:
    return any(cue.effect == "absent" for cue in found.meaning)


def _act(
    found: Match[tuple[Cue, ...]],
    clauses: _Clauses,
    mentions: Sequence[Mention],
    effects: list[dict[Effect, str]],
) -> None:
    """Write a cue's effect to the mentions in its scope; back only where it finds none ahead."""
    acted = False
    for cue in sorted(found.meaning, key=lambda cue: cue.side not in ("before", "list")):
        if cue.effect in ("ends", "ignored"):
            continue
        reached: list[int] = []
        if cue.side != "after":
            ahead = _within(mentions, found.end, _scope_ahead(found, cue, clauses))
            reached += ahead[:1] if cue.effect == "alternative" else ahead
        if cue.side == "both" or (cue.side == "after" and not acted):
            back = _within(mentions, _scope_back(found, cue, clauses), found.start)
            reached += back[-1:] if cue.effect == "alternative" else back
        side = "after" if cue.side in ("after", "both") else "before"
        for place in reached:
            effects[place].setdefault(cue.effect, f"{cue.effect}_{side}")
            acted = True


def _within(mentions: Sequence[Mention], low: int, high: int) -> list[int]:
    """Places of the mentions that lie within tokens `[low, high)`."""
    return [
        place
        for place, mention in enumerate(mentions)
        if low <= mention.start and mention.end <= high
    ]


def _scope_ahead(found: Match[tuple[Cue, ...]], cue: Cue, clauses: _Clauses) -> int:
    """One past the last token a cue acts on to its right."""
    words, stops, openings = clauses
    after = bisect_left(stops, found.end)
    end = stops[after] if after < len(stops) else len(words)
    hedges = cue.effect in _HEDGES
    for place in range(found.end, end):
        if words[place] not in COMMAS or cue.side == "list":
            continue
        if place + 1 in openings or (hedges and not ALTERNATIVES & set(words[place:end])):
            end = place
            break
    return _reach(words, found.end, end, cue.reach)


def _reach(words: Sequence[str], start: int, end: int, reach: int) -> int:
    """Where a short reach ends; a mention that begins within it counts as a whole."""
    if end - start <= reach:
        return end
    place = start + reach
    while place < end and words[place] == _MENTION:
        place += 1
    return place


def _scope_back(found: Match[tuple[Cue, ...]], cue: Cue, clauses: _Clauses) -> int:
    """First token a cue acts on to its left: back to its clause or to another clause's verb."""
    words, stops, _ = clauses
    place = found.start
    while place > 0 and words[place - 1] in VERBS:
        place -= 1
    lowest = max(0, found.start - cue.reach)
    if cue.effect in _HEDGES:
        lowest = max(lowest, _list_start(words, place))
    while place > lowest and place not in stops and words[place - 1] not in VERBS:
        place -= 1
    while place > 0 and words[place] == _MENTION and words[place - 1] == _MENTION:
        place -= 1
    return place


def _list_start(words: Sequence[str], end: int) -> int:
    """Where the list begins that ends at `end`: a comma before which none is joined ends it."""
    joined = False
    for place in range(end - 1, -1, -1):
        joined = joined or words[place] in JOINS
        if words[place] in COMMAS and not joined:
            return place + 1
    return 0


def _strongest(effects: dict[Effect, str], keep: bool) -> Judgement:
    if keep:
        effects = {effect: rule for effect, rule in effects.items() if effect != "history"}
    if not effects:
        return PLAIN
    effect = max(effects, key=lambda one: _STRENGTH[one])
    return Judgement(_ASSERTS[effect], effects[effect])


def clause_spans(words: Sequence[str]) -> list[tuple[int, int]]:
    """Token spans `[first, last)` of the clauses of a sentence, in order."""
    starts = {0, len(words)} | clause_starts(words)
    starts |= {
        found.start
        for found in _CUES.find(words)
        if any(cue.effect == "ends" for cue in found.meaning)
    }
    bounds = sorted(starts)
    return list(zip(bounds, bounds[1:], strict=False))
