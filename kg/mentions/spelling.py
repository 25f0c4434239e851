"""Correction of long words one slip away from a word of the lexicon or a cue (`pneumothroax`).

A slip is two neighbours swapped in a word of seven letters or more (`withotu`), one letter too many
or too few in one of eight or more, or one letter wrong in one of ten or more (`lobulated` is no
slip of `loculated`), or any slip in a negation (`wthout`). Only where one single word is that near,
and never one that is a word of the lexicon or the cues itself or, but for a swap, begins or ends
otherwise (`pneumonic`). A negation may also be written together with its word (`noeffusion`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kg.mentions.tokens import Forms

SHORTEST_SWAPPED = 7

SHORTEST = 8

SHORTEST_CHANGED = 10

NEGATIONS = frozenset({"without", "absence", "neither"})
"""Words that others are slips of at any letter but the first and the last."""

GLUED = ("no", "without")
"""Negations that may be written together with the word after them."""

SHORTEST_GLUED = 4
"""Fewest letters of that word."""

LONGEST = 40
"""Words of more letters are slips of none: the lexicon has none so long."""


class Speller:
    """Mends slips in long words.

    Args:
        right: Words that are written right.
        known: Further words that are never mended.
    """

    def __init__(self, right: Collection[str], known: Iterable[str] = ()) -> None:
        targets = {word for word in right if len(word) >= SHORTEST_SWAPPED and word.isascii()}
        self._right = frozenset(right)
        self._known = self._right.union(known)
        self._near: dict[str, set[str]] = {}
        for word in targets:
            for form in _shortened(word):
                self._near.setdefault(form, set()).add(word)
        self._mended = Forms(self._mend)

    def mend(self, word: str) -> str:
        """The word, or the one word of the lexicon it is a slip of."""
        return self._mended[word]

    def negation_in(self, word: str) -> str:
        """The negation a word is written together with, or nothing."""
        for negation in () if word in self._known else GLUED:
            rest = word.removeprefix(negation)
            if SHORTEST_GLUED <= len(rest) < len(word) and rest in self._right:
                return negation
        return ""

    def mend_all(self, words: Iterable[str]) -> list[str]:
        """Each word as `mend` has it."""
        mended = self._mended
        return [mended[word] for word in words]

    def _mend(self, word: str) -> str:
        if not SHORTEST_SWAPPED - 1 <= len(word) <= LONGEST or word in self._known:
            return word
        if not word.isalpha():
            return word
        candidates = set[str]()
        for form in _shortened(word):
            near = self._near.get(form)
            if near is not None:
                candidates |= near
        found = [near for near in candidates if _is_slip(word, near)]
        return found[0] if len(found) == 1 else word


def _is_slip(word: str, right: str) -> bool:
    if swapped(word, right):
        return True
    ends = word[0] + word[-1] == right[0] + right[-1]
    far = right in NEGATIONS or (word[1] == right[1] and len(right) >= SHORTEST)
    return ends and far and one_slip(word, right)


def _shortened(word: str) -> list[str]:
    """The word, and the word without each of its letters."""
    return [word] + [word[:place] + word[place + 1 :] for place in range(len(word))]


def _difference(first: str, second: str) -> int:
    """Position of the first difference of two words."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def swapped(first: str, second: str) -> bool:
    """True if two words are the same but for two neighbours swapped."""
    if len(first) != len(second) or first == second:
        return False
    at = _difference(first, second)
    return first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]


def one_slip(first: str, second: str) -> bool:
    """True if two different words are one insertion, deletion, change or swap apart."""
    if len(first) > len(second):
        first, second = second, first
    at = _difference(first, second)
    if len(first) < len(second):
        return first[at:] == second[at + 1 :]
    if first[at + 1 :] == second[at + 1 :]:
        return len(first) >= SHORTEST_CHANGED
    return swapped(first, second)
