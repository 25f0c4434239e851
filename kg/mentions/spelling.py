"""Mend a long word that is one slip away from a word of the lexicon (`pneumothroax`).

A slip is one letter too many or too few, two neighbours swapped or, in a word of ten letters or
more, one letter wrong (`lobulated` is no slip of `loculated`). Only words of eight letters or more
are what others are slips of, only where one single word of the lexicon is that near, and never one
that is a word of the lexicon or the cues itself or begins or ends otherwise (`pneumonic`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

SHORTEST = 8

SHORTEST_CHANGED = 10


class Speller:
    """Mends slips in long words.

    Args:
        right: Words that are written right.
        known: Further words that are never mended.
    """

    def __init__(self, right: Collection[str], known: Iterable[str] = ()) -> None:
        targets = {word for word in right if len(word) >= SHORTEST and word.isascii()}
        self._known = frozenset(known).union(right)
        self._near: dict[str, set[str]] = {}
        for word in targets:
            for form in _shortened(word):
                self._near.setdefault(form, set()).add(word)
        self._mended: dict[str, str] = {}

    def mend(self, word: str) -> str:
        """The word, or the one word of the lexicon it is a slip of."""
        if len(word) < SHORTEST - 1 or word in self._known or not word.isalpha():
            return word
        if word not in self._mended:
            if len(self._mended) > 65536:
                self._mended.clear()
            self._mended[word] = self._find(word)
        return self._mended[word]

    def _find(self, word: str) -> str:
        candidates = {near for form in _shortened(word) for near in self._near.get(form, ())}
        found = {near for near in candidates if _ends_alike(word, near) and _one_slip(word, near)}
        return found.pop() if len(found) == 1 else word


def _ends_alike(first: str, second: str) -> bool:
    """Whether two words begin and end alike; another ending is most often another word."""
    return first[:2] == second[:2] and first[-1] == second[-1]


def _shortened(word: str) -> set[str]:
    """The word, and the word without one of its letters."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _one_slip(first: str, second: str) -> bool:
    """Whether two words that differ are one insertion, deletion, change or swap apart."""
    if len(first) > len(second):
        first, second = second, first
    start = 0
    while start < len(first) and first[start] == second[start]:
        start += 1
    if len(first) < len(second):
        return first[start:] == second[start + 1 :]
    if first[start + 1 :] == second[start + 1 :]:
        return len(first) >= SHORTEST_CHANGED
    swapped = first[start : start + 2] == second[start : start + 2][::-1]
    return swapped and first[start + 2 :] == second[start + 2 :]
