"""Scope of cues: clauses, commas that open a noun phrase, and objects of another noun.

A clause ends with its sentence, at words such as `but`, at a colon, dash or bracket, and at a comma
that opens a new clause with a verb of its own; a comma in a list does not end it (`no effusion,
consolidation or pneumothorax`), but one before words that assert does where no `or` follows (`no
edema, mild cardiomegaly`). A denied noun is not what it is said to be in, from or due to (`no
calcification in the nodule`, `no mass to explain the effusion`), unless it is a word such as
`evidence` that stands for it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Final

from kg.mentions.cues import FAR, FILLERS, NUMBER, Cue, Cues
from kg.mentions.matcher import Match

MENTION: Final = "\0"
"""Stands for each token of a mention in a sentence."""

VERBS: Final = frozenset(
    {
        *("is", "are", "was", "were", "am", "has", "have", "had", "been", "there", "i"),
        *("remain", "appear", "show", "demonstrate", "persist", "measure", "project", "contain"),
        *("reveal", "extend"),
    }
)
"""Words that make the words after a comma a clause of its own."""

SEEN: Final = frozenset(
    {
        *("seen", "identified", "noted", "present", "visualized", "appreciated", "detected"),
        *("shown", "evident", "demonstrated", "observed", "suspected", "visible", "apparent"),
        *("absent", "not"),
    }
)
"""Words after a verb that only close a list (`no effusion, pneumothorax or mass is seen`)."""

GONE: Final = frozenset({"cleared", "resolved"})
"""The same where the last item of the list is joined by `and`."""

HEDGES: Final = frozenset({"uncertain", "open", "exclude", "probable", "history"})
"""Effects that end at a comma after which no `or` follows."""

ALTERNATIVES: Final = frozenset({"or", "versus", "vs", "nor"})
JOINS: Final = ALTERNATIVES | {"and"}
COMMAS: Final = frozenset({",", "\uff0c"})
BREAKS: Final = COMMAS | {"and", "as"}

BESIDE: Final = frozenset({":", "-", "\u2013", "\u2014", "=", "(", "["})
"""Marks that do not part a cue from what they stand between (`Pneumothorax: none`)."""

_PASSED_BACK: Final = VERBS | BESIDE | FILLERS

SUBJECTS: Final = frozenset({"patient", "pt", "he", "she", "i"})
"""Words after a comma that begin a clause of their own."""

ASSERTING: Final = frozenset(
    {
        *("a", "an", "small", "tiny", "trace", "mild", "minimal", "moderate", "severe", "large"),
        *("stable", "unchanged", "persistent", "persisting", "old", "chronic", "healed", "healing"),
        *("new", "increased", "increasing", "decreased", "worsening", "improving", "improved"),
        *("known", "left", "right", "bilateral", "bibasilar", "biapical", "basilar", "subtle"),
        *("multiple", "several", "few", "scattered", "calcified", "patchy", "streaky", "hazy"),
        *("linear", "resolving", "decreasing", "residual", "slight", "slightly", "mildly"),
        *("minimally", "moderately", "markedly"),
        *("enlarged", "hyperinflated", "tortuous", "elevated", "dense"),
        *("prominent", "low", "blunted", "diffuse", "degenerative", "borderline", "extensive"),
    }
)
"""Words that open a noun phrase of what is there after a denied one."""

POSTPOSED: Final = 3
"""Most words of a phrase that ends in one of them (`cardiac silhouette enlarged`)."""

LAST_OF_PHRASE: Final = COMMAS | {".", ";", "and"}
"""Words before which one of them ends its phrase."""

PREPOSITIONS: Final = frozenset(
    {
        *("in", "within", "inside", "from", "for", "on", "despite", "after", "following"),
        *("beneath", "behind", "near", "around", "by", "at", "during", "through", "of", "to"),
        *("beside", "under", "across", "post"),
    }
)

STANDING_FOR: Final = frozenset(
    {
        *("evidence", "sign", "finding", "indication", "suggestion", "suspicion", "concern"),
        *("feature", "suspicious", "concerning", "worrisome", "history", "test", "negative"),
        *("suggestive", "typical", "specific", "diagnostic", "indicative", "risk", "criteria"),
    }
)
"""Nouns and adjectives that are denied for the sake of what follows them (`no concern for`)."""

HAPPENING: Final = frozenset(
    {
        *("change", "difference", "variation", "increase", "decrease", "growth", "enlargement"),
        *("reduction", "progression", "regression", "improvement", "worsening", "expansion"),
        *("shrinkage", "evolution", "extension", "displacement", "migration", "movement"),
        *("complication", "sequela", "spite", "cause", "source", "cavitation", "calcification"),
        *(
            "invasion",
            "loculation",
            "up",
            "followup",
            "evaluation",
            "treatment",
            "drainage",
            "biopsy",
        ),
        *("compression", "deviation", "recurrence", "rupture", "fracture", "clearing"),
        *("clearance", "disappearance", "resorption", "study", "imaging", "spread"),
    }
)
"""Nouns of what may happen to a thing, which their denial leaves there (`no growth of`)."""

SUGGESTING: Final = frozenset(
    {
        *("suggest", "indicate", "support", "confirm", "diagnose", "represent", "reflect", "imply"),
        "raise",
    }
)
"""Verbs after `no finding to` that name what is denied."""

NAMING: Final = frozenset(
    {
        *("such", "as", "like", "including", "eg", "with", "that", "which", "suggesting"),
        *("suggestive", "indicating", "representing", "indicative", "is", "are", "was", "were"),
    }
)
"""Words no preposition before them governs across (`no mass in the lung such as a cancer`)."""

NOUN_PHRASE: Final = 7
"""Most words between a preposition and the mention it governs."""


class Clauses:
    """A sentence with its clauses.

    Args:
        written: Its words.
        words: The same with masked mentions.
        stops: Where clauses end, in order.
        openings: Where cues open scopes.
    """

    def __init__(
        self, written: list[str], words: list[str], stops: list[int], openings: set[int]
    ) -> None:
        self.written, self.words = written, words
        self.stops, self.openings = stops, openings


def clause_starts(words: list[str]) -> set[int]:
    """Positions where a comma opens a clause with a verb of its own (in Chinese, any comma).

    A verb that only closes a list (`no effusion, pneumothorax or mass is seen`) opens one where
    the list was closed before (`no nodes are seen in the hilum, a mass is seen`).
    """
    starts = set[int]()
    if COMMAS.isdisjoint(words):
        return starts
    commas = [place for place, word in enumerate(words) if word in COMMAS]
    first = 0
    for comma, after in zip(commas, [*commas, len(words)][1:], strict=True):
        segment = words[comma + 1 : after]
        closed = _closes(words[first:comma]) and _closes(segment) and segment[0] not in ALTERNATIVES
        if words[comma] == "\uff0c" or closed or _is_clause(segment):
            starts.add(comma + 1)
            first = comma + 1
    return starts


def scope_ahead(found: Match[Cues], cue: Cue, clauses: Clauses) -> tuple[int, int]:
    """Tokens `[start, end)` a cue acts on to its right."""
    words, stops = clauses.words, clauses.stops
    start = found.end
    while start < len(words) and words[start] in BESIDE:
        start += 1
    after = bisect_left(stops, start + (start > found.end))
    end = stops[after] if after < len(stops) else len(words)
    if cue.side != "list":
        for at in range(start, end):
            if words[at] in BREAKS and _ends_scope(at, start, end, cue, clauses):
                end = at
                break
    return start, _reach(words, start, end, cue.reach)


def _ends_scope(place: int, start: int, end: int, cue: Cue, clauses: Clauses) -> bool:
    """True if the scope `[start, end)` ends at the comma or `and` here."""
    words, openings = clauses.words, clauses.openings
    if words[place] not in COMMAS:
        joins = words[place] == "and" or words[place - 1 : place + 1] == ["well", "as"]
        return joins and _opens_phrase(place, end, cue, clauses)
    if place + 1 in openings or (cue.reach < FAR and MENTION not in words[start:place]):
        return True
    if cue.effect in HEDGES:
        return ALTERNATIVES.isdisjoint(words[place:end])
    return _opens_phrase(place, end, cue, clauses)


def _opens_phrase(place: int, end: int, cue: Cue, clauses: Clauses) -> bool:
    """True if a present finding, and no further item of a denied list, follows a comma or `and`."""
    words, openings = clauses.words, clauses.openings
    if cue.effect != "absent" or place + 1 >= end or not _asserts(place + 1, end, clauses):
        return False
    last = next(
        (at for at in range(place + 1, end) if words[at] in COMMAS and at + 1 in openings), end
    )
    return (ALTERNATIVES | {"/"}).isdisjoint(words[place + 1 : last])


def _asserts(place: int, end: int, clauses: Clauses) -> bool:
    """True at a size, at a word that asserts, and at a few words with one last (`heart enlarged`).

    What is said of a structure after its name is there, unlike the next item of a list.
    """
    written, words = clauses.written, clauses.words
    return words[place] == NUMBER or any(
        written[at] in ASSERTING
        and (at == place or at + 1 == end or words[at + 1] in LAST_OF_PHRASE)
        for at in range(place, min(end, place + POSTPOSED))
    )


def _reach(words: list[str], start: int, end: int, reach: int) -> int:
    """End of a short reach; a mention that begins within it counts as a whole."""
    if end - start <= reach:
        return end
    place = start + reach
    while place < end and words[place] == MENTION:
        place += 1
    return place


def scope_back(found: Match[Cues], cue: Cue, clauses: Clauses) -> int:
    """First token a cue acts on to its left: back to its clause or to another clause's verb."""
    words, stops = clauses.words, clauses.stops
    place = found.start
    while place > 0 and words[place - 1] in _PASSED_BACK:
        place -= 1
    beside = range(place, found.start)
    lowest = max(0, found.start - cue.reach)
    if cue.effect in HEDGES or cue.side == "answer":
        lowest = max(lowest, _list_start(words, place))
    while place > lowest and words[place - 1] not in VERBS:
        if place in stops and not (place in beside and words[place] in BESIDE):
            break
        place -= 1
    while place > 0 and words[place] == MENTION and words[place - 1] == MENTION:
        place -= 1
    return place


def _list_start(words: list[str], end: int) -> int:
    """Start of the list that ends at `end`: a comma before which none is joined ends it."""
    joined = False
    for place in range(end - 1, -1, -1):
        joined = joined or words[place] in JOINS
        if words[place] in COMMAS and not joined:
            return place + 1
    return 0


def _closes(segment: list[str]) -> bool:
    """True if a verb closes a list here (`... is seen`)."""
    return any(one in VERBS and after in SEEN for one, after in pairwise(segment))


def _is_clause(segment: list[str]) -> bool:
    if not segment or segment[0] in ("or", "nor"):
        return False
    if segment[0] in SUBJECTS:
        return True
    closing = SEEN | GONE if segment[0] == "and" else SEEN
    return any(
        word in VERBS and not (place + 1 < len(segment) and segment[place + 1] in closing)
        for place, word in enumerate(segment)
    )


def of_another(words: list[str], start: int, mention: int) -> bool:
    """True if a mention is only the site or cause of another denied noun.

    Args:
        words: The sentence, its mentions masked.
        start: First token after the denial.
        mention: First token of the mention.
    """
    for place in range(mention - 1, max(start, mention - NOUN_PHRASE) - 1, -1):
        word = words[place]
        if word in PREPOSITIONS:
            return place > start and _parts(words, place, mention)
        if word in JOINS or word in COMMAS or word in NAMING or word == MENTION:
            return False
    return False


def _parts(words: list[str], place: int, mention: int) -> bool:
    """True if the preposition here separates the mention from the noun before it."""
    head = words[place - 1]
    if words[place] == "to":
        # `no moderate to large effusion` is one size of it
        return head not in ASSERTING and words[place + 1] not in SUGGESTING | ASSERTING
    if words[place] == "of":
        return head in HAPPENING
    return head not in STANDING_FOR
