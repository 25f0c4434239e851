"""Vocabulary: the words of reports or of dialogues, as they are mended, and what each may be.

What the words of a sentence may be tells in one look what need not be looked for in it: most
sentences have no abbreviation, no denied word and no normal structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from kg.mentions.abbreviations import is_abbreviation
from kg.mentions.as_read import DICTATED
from kg.mentions.assertion import CUE_WORDS, bears_on_mentions, is_figure
from kg.mentions.coordination import JOINING
from kg.mentions.denied_words import DENYING
from kg.mentions.lexicon import Entry
from kg.mentions.matcher import Matcher
from kg.mentions.modifiers import ModifierReader
from kg.mentions.spelling import Speller
from kg.mentions.structures import StructureReader
from kg.mentions.tokens import (
    CUE,
    DENIES,
    FIGURE,
    JOINS,
    MODIFIER,
    NAME,
    NORMAL,
    SHORT,
    UNPLAIN,
    Forms,
    Token,
    Words,
    normal_form,
    runs_of,
)


class Vocabulary:
    """What a kind of text is read with.

    Args:
        phrases: The names to look for.
        structures: The structures that may be called normal.
        modifiers: The words around names.

    Attributes:
        speller: Correction of misspelt words.
        runs: Words of each run of text.
    """

    def __init__(
        self, phrases: Matcher[Entry], structures: StructureReader, modifiers: ModifierReader
    ) -> None:
        self.phrases = phrases
        self._structures, self._modifiers = structures, modifiers
        self.speller = Speller(phrases.vocabulary | CUE_WORDS, modifiers.vocabulary | DICTATED)
        self._known = phrases.vocabulary | CUE_WORDS | modifiers.vocabulary
        self._hints = Forms(self._hint)
        self.runs = runs_of(self._right, self._hints.__getitem__)

    def words(self, tokens: Sequence[Token]) -> Words:
        """The words of a sentence as they are meant, with what each may be."""
        words = self.speller.mend_all([token.word for token in tokens])
        starts, ends = [token.start for token in tokens], [token.end for token in tokens]
        hints = [self._hints[word] for word in words]
        any_hints = 0
        for one in hints:
            any_hints |= one
        return Words(words, starts, ends, hints, any_hints)

    def _right(self, written: str) -> str:
        """A written word as it is meant."""
        word = normal_form(written)
        mended = self.speller.mend(word)
        if mended in DICTATED or self.speller.negation_in(word):
            return UNPLAIN
        return intern(mended) if mended in self._known else mended

    def _hint(self, word: str) -> int:
        short = is_abbreviation(word)
        return (
            NAME * (short or self.phrases.opens(word))
            + SHORT * short
            + JOINS * (word in JOINING)
            + DENIES * (word in DENYING)
            + NORMAL * self._structures.opens(word)
            + CUE * bears_on_mentions(word)
            + MODIFIER * self._modifiers.opens(word)
            + FIGURE * is_figure(word)
        )
