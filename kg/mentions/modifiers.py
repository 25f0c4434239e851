"""Modifiers of a finding: site, side, severity and change, from the words around it.

Words of `modifiers.tsv` and the graph's anatomy count for a mention where they stand directly
before it (`small right basilar effusion`), inside it (`heart is mildly enlarged`), or after it in
a phrase of place or state (`opacity in the left lower lobe`, `effusion has increased`), and no
other mention stands between. What stands before the first of a list counts for it alone.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from kg.mentions.lexicon import Entry
from kg.mentions.matcher import Match, Matcher
from kg.mentions.memory import Memory
from kg.mentions.own_tables import table_rows
from kg.mentions.tokens import MODIFIER, Words, words
from kg.model.graph import KnowledgeGraph

BEFORE, AFTER = 6, 12
"""Number of tokens read before and after a mention."""

PLACES: Final = frozenset(
    {
        *("in", "at", "within", "of", "involving", "along", "throughout", "over", "overlying"),
        *("on", "near", "adjacent", "to", "bilaterally", "is", "are", "has", "have", "which"),
        *("seen", "noted", "present", "again", "at", "projecting", "predominantly", "worse"),
    }
)
"""Words that carry a place or a state on to the mention before them."""

ENDS: Final = frozenset(
    {",", ";", ".", "\uff0c", "\u3002", "\uff1b", "and", "or", "but", "with", "without"}
)
"""Tokens no modifier reaches across."""


REMEMBERED = 4096
"""Number of sets of modifiers remembered with what they say together."""

KINDS: Final = ("site", "side", "severity", "change")
"""Columns of the table."""


class Modifiers(NamedTuple):
    """Modifiers of one mention beside its assertion; empty without any.

    Args:
        sites: Anatomy concepts it is located at, in the order of the text.
        side: `left`, `right` or `bilateral`.
        severity: `minimal`, `mild`, `moderate` or `severe`.
        change: `new`, `increased`, `stable`, `decreased` or `old`.
    """

    sites: tuple[str, ...] = ()
    side: str = ""
    severity: str = ""
    change: str = ""


NOTHING: Final = Modifiers()


class ModifierReader:
    """Reads modifiers around mentions.

    Args:
        graph: Whose anatomy is looked for.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        named = [
            (words(name), (("site", concept.id),))
            for concept in graph.concepts
            if concept.kind == "anatomy"
            for name in (concept.label, *concept.synonyms)
        ]
        own = [(tokens, facts) for tokens, facts in _own() if _known(facts, graph)]
        self._matcher = Matcher([*own, *named])
        self.vocabulary = self._matcher.vocabulary
        self._made_before: Memory[tuple[Facts, ...], Modifiers] = Memory(REMEMBERED)

    def opens(self, word: str) -> bool:
        """True if a phrase of a modifier begins with a word."""
        return self._matcher.opens(word)

    def read(self, sentence: Words, mentions: list[Match[Entry]]) -> list[Modifiers]:
        """Modifiers of each mention of a sentence, in order."""
        tokens = sentence.words
        found = self._matcher.find(tokens, sentence.that_may_be(MODIFIER))
        if not found:
            return [NOTHING] * len(mentions)
        made, lowest = list[Modifiers](), 0
        first_found, last_found = found[0].start, found[-1].end
        for place, mention in enumerate(mentions, 1):
            start, end = mention.start, mention.end
            last = mentions[place].start if place < len(mentions) else len(tokens)
            low = _low(tokens, start, lowest) if first_found < start else start
            high = _high(tokens, end, last) if last_found > end else end
            facts = tuple([one.meaning for one in found if low <= one.start and one.end <= high])
            made.append(self._collected(facts) if facts else NOTHING)
            lowest = end
        return made

    def _collected(self, facts: tuple[Facts, ...]) -> Modifiers:
        made = self._made_before.get(facts)
        if made is None:
            made = _collect(facts)
            self._made_before.keep(facts, made)
        return made


Facts = tuple[tuple[str, str], ...]


def _low(tokens: list[str], start: int, lowest: int) -> int:
    lowest = max(lowest, start - BEFORE)
    place = start
    while place > lowest and tokens[place - 1] not in ENDS:
        place -= 1
    return place


def _high(tokens: list[str], end: int, highest: int) -> int:
    highest = min(highest, end + AFTER)
    if end >= highest or tokens[end] not in PLACES:
        return end
    place = end
    while place < highest and tokens[place] not in ENDS:
        place += 1
    return place


def _collect(found: tuple[Facts, ...]) -> Modifiers:
    sites: dict[str, None] = {}
    said: dict[str, list[str]] = {}
    for facts in found:
        for kind, value in facts:
            if kind == "site":
                sites[value] = None
            else:
                said.setdefault(kind, []).append(value)
    sides = set(said.get("side", ())) | {side for site in sites for side in _side_of(site)}
    side = sides.pop() if len(sides) == 1 else "bilateral" if sides else ""
    last = {kind: values[-1] for kind, values in said.items()}
    return Modifiers(tuple(sites), side, last.get("severity", ""), last.get("change", ""))


@cache
def _side_of(site: str) -> tuple[str, ...]:
    """The side a site's own name says."""
    name = site.partition(":")[2]
    return tuple(side for side in ("left", "right", "bilateral") if name.startswith(f"{side}_"))


def _known(facts: Facts, graph: KnowledgeGraph) -> bool:
    return all(kind != "site" or value in graph.index for kind, value in facts)


@cache
def _own() -> tuple[tuple[tuple[str, ...], Facts], ...]:
    return tuple(
        (words(row["phrase"]), tuple((kind, row[kind]) for kind in KINDS if row[kind]))
        for row in table_rows("modifiers.tsv")
    )
