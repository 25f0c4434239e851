"""Search for phrases in a sentence: the longest match over a trie of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sys import intern
from typing import Final, Generic, TypeVar

Meaning = TypeVar("Meaning")

FILLERS: Final = frozenset(
    {
        *("the", "a", "an", "is", "are", "was", "be", "been", "of", "in", "appear", "appears"),
        *("mild", "mildly", "moderate", "moderately", "marked", "markedly", "severe", "severely"),
        *("slight", "slightly", "minimal", "minimally", "borderline", "somewhat", "small", "large"),
        *("again", "also", "remain", "remains", "left", "right", "both", "bilateral", "grossly"),
        *("persistently", "size", "within", "to", "patient's", "her", "his", "doe", "do"),
        *("significantly", "any"),
    }
)
"""Words that may stand between the words of a phrase (`the heart is mildly enlarged`)."""

MAX_FILLERS: Final = 4
"""Largest number of them that a match may skip."""

_END: Final = ""


class Match(Generic[Meaning]):
    """A phrase found: its meaning, and the tokens `[start, end)` it spans."""

    def __init__(self, meaning: Meaning, start: int, end: int) -> None:
        self.meaning, self.start, self.end = meaning, start, end


class Matcher(Generic[Meaning]):
    """A set of phrases to look for.

    Args:
        phrases: Tokens of each phrase and what it means; of two equal ones the first counts.
        fillers: Words a match may pass over between the words of a phrase.

    Attributes:
        vocabulary: Every word of the phrases.
    """

    def __init__(
        self,
        phrases: Iterable[tuple[Sequence[str], Meaning]],
        fillers: frozenset[str] = frozenset(),
    ) -> None:
        self._root: dict[str, dict[str, object]] = {}
        self._fillers = fillers
        self._size = 0
        self.vocabulary: set[str] = set()
        for tokens, meaning in phrases:
            self._add(tokens, meaning)

    def __len__(self) -> int:
        return self._size

    def find(self, tokens: list[str], places: list[int] | None = None) -> list[Match[Meaning]]:
        """Matches from left to right, each the longest at its place, none overlapping.

        Args:
            tokens: The tokens of a sentence.
            places: Those at which a phrase may begin, in order; without it, any.
        """
        root, fillers = self._root, self._fillers
        found: list[Match[Meaning]] = []
        free, last = 0, len(tokens) - 1
        for place in list(range(len(tokens))) if places is None else places:
            if place < free:
                continue
            node: dict[str, object] | None = root.get(tokens[place])
            if node is None:
                continue
            after = tokens[place + 1] if place < last else ""
            match: Match[Meaning] | None = None
            if after and (after in node or after in fillers):
                match = self._longest(tokens, place, node)
            elif _END in node:
                match = Match(node[_END], place, place + 1)  # type: ignore[arg-type]
            if match is not None:
                found.append(match)
                free = match.end
        return found

    def opens(self, word: str) -> bool:
        """True if a phrase begins with a word."""
        return word in self._root

    def _add(self, tokens: Sequence[str], meaning: Meaning) -> None:
        if not tokens:
            return
        # equal words are one object everywhere, which is found sooner
        words = [intern(token) for token in tokens]
        self.vocabulary.update(words)
        node = self._root.setdefault(words[0], {})
        for token in words[1:]:
            node = node.setdefault(token, {})  # type: ignore[assignment]
        if _END not in node:
            node[_END] = meaning
            self._size += 1

    def _longest(
        self, tokens: list[str], start: int, node: dict[str, object]
    ) -> Match[Meaning] | None:
        """The longest phrase that starts here; a filler may be part of it or passed over."""
        fillers, size = self._fillers, len(tokens)
        place = stop = start + 1
        last = node if _END in node else None
        passed = 0
        while place < size:
            below = node.get(tokens[place])
            passable = passed < MAX_FILLERS and tokens[place] in fillers
            if below is None and not passable:
                break
            if below is not None and passable:
                end, stop_there = self._on_both_ways(tokens, place, node, passed)
                if end is not None:
                    last, stop = end, stop_there
                break
            place += 1
            if below is None:
                passed += 1
                continue
            node = below  # type: ignore[assignment]
            if _END in node:
                last, stop = node, place
        return None if last is None else Match(last[_END], start, stop)  # type: ignore[arg-type]

    def _on_both_ways(
        self, tokens: list[str], place: int, node: dict[str, object], passed: int
    ) -> tuple[dict[str, object] | None, int]:
        """Where the longest phrase ends from a filler on that may be part of it or passed over.

        Both ways are followed side by side, so that `enlargement of the heart` is found beside a
        phrase `enlargement of left atrium`. Of two phrases of one length the literal one counts.
        """
        ways = [(node, passed)]
        last: dict[str, object] | None = None
        stop = place
        while ways and place < len(tokens):
            token = tokens[place]
            place += 1
            passable = token in self._fillers
            following: list[tuple[dict[str, object], int]] = []
            ends = None
            for node, passed in ways:
                below = node.get(token)
                if below is not None:
                    following.append((below, passed))  # type: ignore[arg-type]
                    ends = below if ends is None and _END in below else ends  # type: ignore[operator]
                if passable and passed < MAX_FILLERS:
                    following.append((node, passed + 1))
            if ends is not None:
                last, stop = ends, place  # type: ignore[assignment]
            ways = following
        return last, stop
