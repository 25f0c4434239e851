"""Cues of negation and uncertainty, from the table `cues.tsv`.

A cue acts on the mentions that follow it (`before` the mention), precede it (`after`) or on both
sides, within its sentence and clause, as far as its reach in tokens; one that opens a `list` acts
on all that follows, across commas. A `first` word acts ahead where it opens its sentence, the
`last` of a clause back, and an `answer` back where it closes a field of a form. The longest cue at
a place wins, so that `no change in` is not read as `no`. A cue listed both as `before` and `after`
acts back only where it finds nothing ahead.

A word such as `<seen>` stands for each of its row in `cue_words.tsv`, and words of degree may be
passed over (`has since completely resolved`). `written_cues.tsv` holds in reports alone,
`spoken_cues.tsv` in dialogues.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Final, Literal, cast

from kg.mentions.matcher import Matcher
from kg.mentions.own_tables import table_rows
from kg.mentions.tokens import ASKED
from kg.mentions.tokens import words as tokens_of

Effect = Literal[
    "absent",
    "kept",
    "uncertain",
    "open",
    "probable",
    "alternative",
    "excluded",
    "exclude",
    "removed",
    "history",
    "nothing",
    "ends",
    "ignored",
]
Side = Literal["before", "after", "both", "list", "first", "answer", "last"]

AHEAD: Final = frozenset({"before", "list", "first"})
"""Sides of the cues that act ahead alone."""

FAR: Final = 1000
"""Reach of a cue that acts up to the end of its clause."""

YEAR, NUMBER = "<year>", "<number>"
"""Placeholders of a year and of another number in the search for cues."""

FILLERS: Final = frozenset(
    {
        *("definitely", "clearly", "readily", "reliably", "confidently", "safely", "entirely"),
        *("completely", "fully", "totally", "definitively", "absolutely", "both", "now", "since"),
        *("subsequently", "currently", "also", "convincing", "definite", "significant"),
        *("significantly", "appreciable", "interval", "visible", "obvious", "major", "acute"),
        *("relevant", "substantial", "substantially", "measurable", "noticeable", "detectable"),
        *(
            "discernible",
            "further",
            "evident",
            "overt",
            "radiographic",
            "distinct",
            "strong",
            "real",
        ),
        *("thought", "felt", "considered", "deemed", "favored"),
        *(
            "meanwhile",
            "already",
            "be",
            "been",
            "closely",
            "carefully",
            "really",
            "very",
            "quite",
            "yet",
            "recently",
            "up",
        ),
    }
)
"""Words of degree and certainty that a cue may have between its own."""


class Cue:
    """Effect, side and reach of a cue.

    Args:
        effect: `absent`, `uncertain`; `open` (uncertain whatever denies it beside); `probable`
            (uncertain, but held for likely); `alternative` (uncertain: one of two readings);
            `excluded` and `exclude` (absent and uncertain, open where they are denied); `removed`
            (absent for a device); `kept` (present though denied: `no effusion besides a trace`);
            `history` (a past state: uncertain for what can pass); `nothing`
            (the mention states nothing, as in a condition); `ends` (no cue acts across it);
            `ignored` (hides a shorter cue inside it).
        side: Its position relative to the mentions.
        reach: Largest distance of a mention, in tokens.

    Attributes:
        acts: Whether it says something of a mention.
        ahead: Whether it acts ahead alone.
        rule: Name of the rule that an assertion by it follows.
    """

    def __init__(self, effect: Effect, side: Side, reach: int) -> None:
        self.effect, self.side, self.reach = effect, side, reach
        self.acts = effect not in ("ends", "ignored")
        self.ahead = side in AHEAD
        self.rule = f"{effect}_before" if self.ahead else f"{effect}_after"


class Cues:
    """The cues of one phrase: those that act ahead alone, then those that act back.

    Args:
        all: The cues.

    Attributes:
        acts: Whether one says something of a mention.
        denies: Whether one denies.
        denies_before: Whether one may deny what stands before it.
        excludes: Whether one is a word of exclusion, which a denial leaves open.
        ends: Whether no other cue acts across its end.
        parts: Whether it ends what stands before it too.
        opens: Whether one opens a scope to its right.
        answers: Those that answer a field of a form.
        opening: Those that act where the phrase opens its sentence and answers nothing.
        inside: Those that act where it stands within the sentence.
    """

    def __init__(self, all: tuple[Cue, ...]) -> None:
        self.all = all
        self.acts = any(cue.acts for cue in all)
        self.denies = any(cue.effect == "absent" for cue in all)
        self.denies_before = any(cue.effect == "absent" and cue.side != "before" for cue in all)
        self.excludes = any(cue.effect in ("excluded", "exclude") for cue in all)
        self.ends = any(cue.effect == "ends" for cue in all)
        self.parts = any(cue.effect == "ends" and cue.side == "both" for cue in all)
        self.opens = any(cue.side == "before" for cue in all)
        self.answers = self._those([cue for cue in all if cue.side == "answer"])
        self.opening = self._those([cue for cue in all if cue.side != "answer"])
        self.inside = self._those([cue for cue in all if cue.side not in ("answer", "first")])

    def _those(self, some: list[Cue]) -> Cues | None:
        """Some of the cues: None without any, these where they are all."""
        if len(some) == len(self.all):
            return self
        return Cues(tuple(some)) if some else None


def cue_matcher(*tables: str) -> Matcher[Cues]:
    """The cues of some tables; words that stand in several act as the first one says."""
    cues: dict[tuple[str, ...], list[Cue]] = {}
    for table in tables:
        own: dict[tuple[str, ...], list[Cue]] = {}
        for row in table_rows(table):
            cue = Cue(
                cast(Effect, row["effect"]), cast(Side, row["side"]), int(row["reach"] or FAR)
            )
            for way in _written(row["cue"]):
                own.setdefault(way, []).append(cue)
        cues = {**own, **cues}
    phrases = [(way, Cues(tuple(sorted(found, key=_back)))) for way, found in cues.items()]
    return Matcher(phrases, FILLERS)


def _back(cue: Cue) -> bool:
    """True if a cue acts back, which it does after those that act ahead alone."""
    return not cue.ahead


def _written(cue: str) -> Iterator[tuple[str, ...]]:
    """Every way to write a cue: its words, with each of the words a class stands for."""
    ways = [_words().get(word, (tokens_of(word),)) for word in cue.split()]
    for chosen in product(*ways):
        yield tuple(token for word in chosen for token in word)


@cache
def _words() -> dict[str, tuple[tuple[str, ...], ...]]:
    signs = {sign: ((sign,),) for sign in (YEAR, NUMBER, ASKED)}
    return signs | {
        f"<{row['class']}>": tuple(
            tokens
            for phrase in row["words"].split("|")
            for tokens in signs.get(phrase, (tokens_of(phrase),))
        )
        for row in table_rows("cue_words.tsv")
    }
