"""A structure that is normal denies what would make it abnormal: `heart and mediastinum normal`.

The word for normal stands after the structures with at most a verb, other structures and joining
words between (`heart size and pulmonary vascularity are within normal limits`), or before them
(`normal heart size and mediastinal contours`). The tables of phrases come first: where a phrase
of the lexicon covers the structure (`the heart is enlarged`), nothing is said here.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from typing import Final

from kg.mentions.lexicon import Entry, entry_of
from kg.mentions.matcher import Match, Matcher
from kg.mentions.own_tables import table_rows
from kg.mentions.tokens import BLANK, Words, words
from kg.mentions.tokens import NORMAL as MAY_BE_NORMAL
from kg.model.graph import KnowledgeGraph

NORMAL: Final = (
    *("normal", "unremarkable", "within normal limit", "within limit of normal", "not enlarged"),
    *("not significantly enlarged", "nonenlarged", "upper limit of normal", "upper limit normal"),
    *(
        "upper normal",
        "top normal",
        "sharp",
        "clear",
        "negative",
        "正常",
        "正常范围",
        "未见异常",
        "未见明显异常",
    ),
)
"""Words that say a structure is as it should be."""

VERBS: Final = frozenset({"is", "are", "was", "were", "appear", "appears", "remain", "remains"})

PASSED: Final = frozenset(
    {
        *(
            "and",
            "or",
            ",",
            "/",
            ":",
            "-",
            "=",
            "the",
            "a",
            "of",
            "in",
            "for",
            "to",
            "at",
            "its",
            "both",
            BLANK,
        ),
        *("size", "shape", "contour", "configuration", "silhouette", "appearance", "appearing"),
        *("pulmonary", "vascularity", "vasculature", "vessel", "vascular", "marking", "aortic"),
        *(
            "aorta",
            "great",
            "hilar",
            "hilum",
            "central",
            "upper",
            "visualized",
            "structure",
            "pleura",
        ),
        *("overall", "grossly", "otherwise", "again", "now", "also", "stable", "unchanged"),
        *("、", "大", "小", "形", "态", "位", "置", "轮", "廓", "及", "和", "均", "在"),
        *(
            "slightly",
            "generally",
            "well",
            "expanded",
            "aerated",
            "inflated",
            "bilaterally",
            "left",
            "right",
            "border",
        ),
    }
)
"""Words that may stand between a structure and the word for normal."""

FARTHEST: Final = 14
"""Most tokens between them."""


class StructureReader:
    """Finds normal structures.

    Args:
        graph: Whose concepts may be denied.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        phrases = [(tokens, entry_of(graph, concepts, "absent")) for tokens, concepts in _table()]
        self._structures = Matcher((tokens, found) for tokens, found in phrases if found.concepts)
        self._normal = Matcher((words(phrase), True) for phrase in NORMAL)

    def opens(self, word: str) -> bool:
        """True if a phrase for normal begins with a word."""
        return self._normal.opens(word)

    def read(self, sentence: Words) -> list[Match[Entry]]:
        """Structures a sentence calls normal, each with the concepts that denies."""
        tokens = sentence.words
        normal = self._normal.find(tokens, sentence.that_may_be(MAY_BE_NORMAL))
        if not normal:
            return []
        structures = self._structures.find(tokens)
        inside = {place for match in structures for place in range(match.start, match.end)}
        return [
            match
            for match in structures
            if any(_joined(tokens, match, word, inside) for word in normal)
        ]


def _joined(
    tokens: list[str],
    structure: Match[Entry],
    normal: Match[bool],
    inside: Container[int],
) -> bool:
    """True if a word for normal refers to a structure."""
    after = normal.start >= structure.end
    low, high = (structure.end, normal.start) if after else (normal.end, structure.start)
    if not 0 <= high - low <= FARTHEST or tokens[normal.start - 1 : normal.start] == ["not"]:
        return False
    between = tokens[low:high]
    if not after and _predicate(tokens, normal.start):
        return False
    verbs = sum(token in VERBS for token in between)
    return verbs <= (1 if after else 0) and all(
        token in PASSED or token in VERBS or place in inside
        for place, token in enumerate(between, start=low)
    )


def _predicate(tokens: list[str], place: int) -> bool:
    """True if the word at a position refers to the words before it (`lungs are clear and ...`)."""
    while place > 0 and tokens[place - 1] in PASSED:
        place -= 1
    return place > 0 and tokens[place - 1] in VERBS


@cache
def _table() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    rows = table_rows("structures.tsv")
    return tuple((words(row["phrase"]), tuple(row["denies"].split())) for row in rows)
