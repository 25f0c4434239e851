"""Terms of reports: words, denied words, and pairs of words, by number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from torch import Tensor

from encoders.batch import Text
from encoders.study import DESCRIBING
from encoders.text import TEXT_SECTIONS, Vocabulary

__all__ = ["NONE", "DeniedWords", "once", "word_pairs"]

NEGATIONS = frozenset({"no", "not", "without", "nor", "never", "negative", "free"})
ENDS = frozenset({".", ";", "!", "?"})
PAIR = 1 << 24
"""More than there are words: a pair of words is a number beyond it."""
NONE = torch.iinfo(torch.long).max
"""Number of no term at all."""


class DeniedWords:
    """Terms of a text: its words, and apart from them those that a negation stands before.

    Args:
        vocabulary: The words by number.
        sections: Sections of the text that are read.
        denied: Whether denied words are other terms.
    """

    def __init__(self, vocabulary: Vocabulary, sections: Sequence[str], *, denied: bool) -> None:
        self.size, self.sections, self.denied = vocabulary.size, sections, denied
        self.names = [vocabulary.decode([place]) for place in range(vocabulary.size)]
        self.cue = torch.tensor([name in NEGATIONS for name in self.names])
        self.end = torch.tensor([name in ENDS for name in self.names])
        counted = [name.isalpha() and name not in ENGLISH_STOP_WORDS for name in self.names]
        self.counted = torch.tensor(counted).repeat(2)

    def name(self, term: int) -> str:
        """A term in words."""
        return f"no {self.names[term - self.size]}" if term >= self.size else self.names[term]

    def of(self, text: Text | None) -> Tensor:
        """Whether each term is in each text, `[B, 2 * words]`."""
        if text is None or text.words is None:
            raise ValueError("the batch has no words of reports beside its pictures")
        here = _in_sections(text, self.sections)
        words = torch.where(here, text.words, 0)
        place = torch.arange(words.shape[1], device=words.device)
        cue, end = self.cue.to(words.device)[words], self.end.to(words.device)[words]
        since_cue = torch.where(cue, place, -1).cummax(1).values
        since_end = torch.where(end, place, -1).cummax(1).values
        if self.denied:
            words = words + self.size * (since_cue > since_end)
        found = torch.zeros(len(words), 2 * self.size, dtype=torch.bool, device=words.device)
        return found.scatter_(1, words, here) if here.any() else found


def word_pairs(text: Text | None) -> Tensor:
    """Numbers of the words and of the pairs of words of texts, `[B, T]`; `NONE` = none."""
    if text is None or text.words is None:
        raise ValueError("the batch has no words of reports beside its images")
    here = _in_sections(text, DESCRIBING)
    single = text.words.masked_fill(~here, NONE)
    pairs = (text.words[:, :-1] + 1) * PAIR + text.words[:, 1:]
    return torch.cat([single, pairs.masked_fill(~(here[:, :-1] & here[:, 1:]), NONE)], 1)


def once(keys: Tensor) -> Tensor:
    """The numbers of each text `[B, T]` without repetition, all in one row."""
    ordered = keys.sort(1).values
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return ordered[new]


def _in_sections(text: Text, names: Sequence[str]) -> Tensor:
    """True where there is a word of one of these sections, `[B, T]`."""
    numbers = torch.tensor([TEXT_SECTIONS.index(name) for name in names])
    return text.mask & torch.isin(text.section, numbers.to(text.section.device))
