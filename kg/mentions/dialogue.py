"""Statements about the patient in a sentence of a dialogue: told, asked, supposed, or general.

A patient tells of himself, but speaks of an epidemic without having it; his questions suppose a
disease (`could it be pneumonia?`) or tell in passing (`what helps against my cough?`). A doctor
mostly explains and advises: what he says counts where he speaks to the patient or of a result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kg.mentions.assertion import Judgement, clause_spans
from kg.mentions.tokens import Token

SPEAKERS = frozenset({"patient", "doctor", "unknown", "description"})
"""Names of passages that are turns of a dialogue; every other name is a report's section."""

DISEASES = frozenset({"disease", "complication"})
"""Kinds of concepts a question can suppose; a symptom asked about is there."""

TALKED_ABOUT = frozenset(
    {
        *("ckg:covid_19", "ckg:coronavirus_infectious_disease", "ckg:sars_cov_2"),
        *("ckg:influenza", "ckg:sars", "ckg:mers"),
    }
)
"""Diseases everybody speaks of: told of the patient only beside a word that he has them."""

CONTACT = "ckg:contact_with_confirmed_covid_19_case"

_HAS = frozenset(
    {
        *("have", "had", "has", "having", "got", "caught", "contracted", "positive", "confirmed"),
        *("diagnosed", "suffering", "recovered", "recovering", "infected", "i've", "developed"),
        *("having", "得", "确", "感", "患", "阳"),
    }
)
_REFERRED_TO = frozenset(
    {
        *("you", "your", "you've", "you're", "he", "she", "his", "her", "him", "he's", "she's"),
        *("baby", "son", "daughter", "husband", "wife", "mother", "father", "child", "kid"),
        *("你", "您", "她", "孩", "宝"),
    }
)
"""Words by which a doctor speaks of the patient."""

_RESULTS = frozenset(
    {
        *("show", "showed", "shown", "showing", "reveal", "revealed", "diagnosed", "diagnosis"),
        *("found", "detected", "impression", "report", "without", "片", "示"),
    }
)
"""Words by which a doctor speaks of what was found."""

_OTHERS = frozenset(
    {
        *("parent", "colleague", "coworker", "friend", "neighbor", "neighbour", "roommate", "boss"),
        *("client", "grandmother", "grandfather", "uncle", "aunt", "cousin", "classmate", "family"),
    }
)
"""People who are not the patient."""

_SELF = frozenset({"i", "my", "me", "i've", "i'm", "we", "我"})

_ASKING = frozenset(
    {
        *("could", "can", "is", "are", "do", "doe", "did", "am", "will", "would", "should", "may"),
        *("might", "was", "what", "how", "why", "when", "where", "which", "who"),
    }
)
_SUPPOSED = frozenset(
    {"it", "this", "that", "i", "the", "these", "those", "he", "she", "we", "my", "there"}
)
_YES_OR_NO = _ASKING - {"what", "how", "why", "when", "where", "which", "who", "should"}
ASKS_LAST = frozenset({"?", "？"})

_CHINESE_YES_OR_NO = frozenset({"吗", "嘛"})

_OPENS_CLAUSE = frozenset({",", "，", ".", "and", "but", "so", "or", "then", "-"})

_MONTHS = frozenset({"jan", "feb", "apr", "jun", "jul", "aug", "sep", "oct", "nov", "dec"})
_YEAR = re.compile(r"(?:19|20)\d\d$")

DATE_WITHIN = 4
"""Words after an illness among which a date tells when it was."""

_LINK = re.compile(
    r"(?:https?://|www\.)[ ]{0,3}\S+(?:[ ]{1,2}\w+\.\w+/\S+)?"
    r"|\b[\w-]+\.(?:com|org|net|gov|edu|int)(?:\.\w\w)?/\S*"
)

WIDE_GAP = 3
"""Characters between two words that part a heading from a sentence."""

LONGEST_LABEL = 5
"""Words of a sentence that only names something (`Common cold.`)."""


class Heard(NamedTuple):
    """A mention in a sentence of a turn: tokens `[start, end)`, its concepts and their kind."""

    start: int
    end: int
    concepts: tuple[str, ...]
    kind: str


def heard(
    words: list[str], speaker: str, mentions: Sequence[Heard], judged: Sequence[Judgement]
) -> list[Judgement]:
    """Assertions about the patient, from the assertions of the words alone.

    Args:
        words: The sentence's tokens.
        speaker: The speaker.
        mentions: The mentions in it, in order.
        judged: Assertion of each by negation and hedging.
    """
    if not mentions:
        return []
    clauses = clause_spans(words)
    if speaker == "doctor":
        return [
            _from_doctor(words, mention, judgement, _clause(clauses, mention.start))
            for mention, judgement in zip(mentions, judged, strict=True)
        ]
    asked = _asking(words)
    return [
        _from_patient(words, mention, judgement, _Place(asked, _clause(clauses, mention.start)))
        for mention, judgement in zip(mentions, judged, strict=True)
    ]


class _Place(NamedTuple):
    """Start of the question in a sentence (its length without one), and the mention's clause."""

    asked: int
    clause: tuple[int, int]


def without_links(text: str) -> str:
    """A text with its web addresses blanked, as long as before (a guide on covid is no case)."""
    return _LINK.sub(lambda link: "_" * len(link[0]), text)


def split_at_gaps(tokens: Sequence[Token]) -> list[list[Token]]:
    """A sentence cut where a wide gap parts a heading from what follows it without a mark."""
    starts = [
        place
        for place, (one, after) in enumerate(pairwise(tokens), 1)
        if after.start - one.end >= WIDE_GAP
    ]
    bounds = [0, *starts, len(tokens)]
    return [list(tokens[first:last]) for first, last in pairwise(bounds)]


def asks_listener(words: list[str], speaker: str) -> bool:
    """True if a question is put to the patient, by the doctor or by an unknown speaker to `you`."""
    if speaker == "doctor":
        return True
    if speaker != "unknown":
        return False
    return not _SELF & set(words) or bool({"you", "your", "你", "您"} & set(words))


def _from_doctor(
    words: list[str], mention: Heard, judgement: Judgement, clause: tuple[int, int]
) -> Judgement:
    if judgement.assertion not in ("present", "absent"):
        return judgement
    if "if" in words[: mention.start] and "then" not in words[: mention.start]:
        return Judgement(None, "condition")
    if not (_REFERRED_TO | _RESULTS) & set(words):
        label = len(words) <= LONGEST_LABEL and judgement.assertion == "present"
        return Judgement("uncertain", "named") if label else Judgement(None, "general")
    return _not_talked_about(words[slice(*clause)], mention, judgement)


def _not_talked_about(clause: Sequence[str], mention: Heard, judgement: Judgement) -> Judgement:
    """Nothing, where a disease everybody speaks of is named and nobody is said to have it."""
    if TALKED_ABOUT.isdisjoint(mention.concepts) or _HAS & set(clause):
        return judgement
    return Judgement(None, "talked_about")


def _from_patient(
    words: list[str], mention: Heard, judgement: Judgement, place: _Place
) -> Judgement:
    if judgement.assertion is None:
        return judgement
    disease = mention.kind in DISEASES
    if mention.start > place.asked and disease and _supposes(words, place.asked):
        return Judgement("uncertain", "asked")
    if judgement.assertion == "uncertain":
        return judgement
    first, last = place.clause
    before = words[first : mention.start]
    if _of_others(before) and CONTACT not in mention.concepts:
        return Judgement(None, "of_others")
    if disease and judgement.assertion == "present" and _long_ago(words[mention.end : last]):
        return Judgement("uncertain", "history")
    told = _not_talked_about(words[first:last], mention, judgement)
    # only the name, with a question mark behind: `COVID 19???`
    if told.assertion is None and place.asked < len(words) <= LONGEST_LABEL:
        return Judgement("uncertain", "asked")
    return told


def _long_ago(after: Sequence[str]) -> bool:
    """True if a date follows an illness at once (`pneumonia back in November`)."""
    near = after[:DATE_WITHIN]
    return "since" not in near and any(word[:3] in _MONTHS or _YEAR.match(word) for word in near)


def _of_others(before: Sequence[str]) -> bool:
    """True if the words before a mention name somebody else and not the speaker after that."""
    for word in reversed(before):
        if word in ("i", "i've", "i'm"):
            return False
        if word in _OTHERS:
            return True
    return False


def _supposes(words: list[str], asked: int) -> bool:
    """True if a question asks if something is so (`could it be`, `do I have`)."""
    if words[asked] in ASKS_LAST or not _CHINESE_YES_OR_NO.isdisjoint(words[-2:]):
        return True
    return words[asked] in _YES_OR_NO and asked + 1 < len(words) and words[asked + 1] in _SUPPOSED


def _asking(words: list[str]) -> int:
    """Start of the question in a sentence: the last verb that opens a clause, else its mark."""
    if words[-1] not in ASKS_LAST and words[-1] not in _CHINESE_YES_OR_NO:
        return len(words)
    for place in range(len(words) - 1, -1, -1):
        if words[place] in _ASKING and (place == 0 or words[place - 1] in _OPENS_CLAUSE):
            return place
    return 0 if any("\u4e00" <= word[0] <= "\u9fff" for word in words) else _subject_verb(words)


def _subject_verb(words: list[str]) -> int:
    """Position of `could it` or `do I` in a sentence without punctuation before it."""
    for place in range(len(words) - 2, -1, -1):
        if words[place] in _YES_OR_NO and words[place + 1] in _SUPPOSED - {"my", "the"}:
            return place
    return len(words) - 1


def _clause(clauses: Sequence[tuple[int, int]], start: int) -> tuple[int, int]:
    return next((c for c in clauses if c[0] <= start < c[1]), clauses[-1])
