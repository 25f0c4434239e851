"""Find phrases in a sentence: the longest match over a trie of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Meaning = TypeVar("Meaning")

FILLERS = frozenset(
    {
        *("the", "a", "an", "is", "are", "was", "be", "been", "of", "in", "appear", "appears"),
        *("mild", "mildly", "moderate", "moderately", "marked", "markedly", "severe", "severely"),
        *("slight", "slightly", "minimal", "minimally", "borderline", "somewhat", "small", "large"),
        *("again", "also", "remain", "remains", "left", "right", "both", "bilateral", "grossly"),
        *("persistently", "size", "within", "patient's", "her", "his"),
    }
)
"""Words that may stand between the words of a phrase (`the heart is mildly enlarged`)."""

MAX_FILLERS = 4
"""How many of them a match may pass over."""

_END = ""


class Match(NamedTuple, Generic[Meaning]):
    """A phrase found: its meaning, and the tokens `[start, end)` it spans."""

    meaning: Meaning
    start: int
    end: int


class Matcher(Generic[Meaning]):
    """A set of phrases to look for.

    Args:
        phrases: Tokens of each phrase and what it means; of two equal ones the first counts.
        fillers: Words a match may pass over between the words of a phrase.
    """

    def __init__(
        self,
        phrases: Iterable[tuple[Sequence[str], Meaning]],
        fillers: frozenset[str] = frozenset(),
    ) -> None:
        self._root: dict[str, object] = {}
        self._fillers = fillers
        self._size = 0
        for tokens, meaning in phrases:
            self._add(tokens, meaning)

    def __len__(self) -> int:
        return self._size

    def find(self, tokens: Sequence[str]) -> list[Match[Meaning]]:
        """Matches from left to right, each the longest at its place, none overlapping."""
        found: list[Match[Meaning]] = []
        place = 0
        while place < len(tokens):
            match = self._longest(tokens, place) if tokens[place] in self._root else None
            if match is None:
                place += 1
            else:
                found.append(match)
                place = match.end
        return found

    def _add(self, tokens: Sequence[str], meaning: Meaning) -> None:
        if not tokens:
            return
        node = self._root
        for token in tokens:
            node = node.setdefault(token, {})  # type: ignore[assignment]
        if _END not in node:
            node[_END] = meaning
            self._size += 1

    def _longest(self, tokens: Sequence[str], start: int) -> Match[Meaning] | None:
        node, best, passed = self._root, None, 0
        for place in range(start, len(tokens)):
            token = tokens[place]
            below = node.get(token)
            if below is not None:
                node = below  # type: ignore[assignment]
                if _END in node:
                    best = Match[Meaning](node[_END], start, place + 1)  # type: ignore[arg-type]
            elif place == start or token not in self._fillers or passed >= MAX_FILLERS:
                break
            else:
                passed += 1
        return best
