"""Rare words: kept out of a vocabulary where a key of pseudonyms is set, as names are rare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from encoders.study import Passage
from encoders.text._words import words_of
from experiments.privacy.pseudonyms import KEY, is_keyed

__all__ = ["FEWEST", "RARE_WORDS", "without_rare_words"]

FEWEST = 5
"""Fewest patients whose texts hold a word that may be written."""
RARE_WORDS = f"the vocabulary has no words of fewer than {FEWEST} patients ({KEY} is set)"
"""Warning of a run whose text encoder learnt its words under a key."""


def without_rare_words(
    texts: Sequence[Sequence[Passage]], patients: Sequence[str]
) -> Sequence[Sequence[Passage]]:
    """Texts that a vocabulary is learnt from; under a key without words of too few patients.

    Args:
        texts: The texts.
        patients: Patient of each text.
    """
    if not is_keyed():
        return texts
    holders: dict[str, set[str]] = defaultdict(set)
    for passages, patient in zip(texts, patients, strict=True):
        for word in {word for one in passages for word in words_of(one.text)}:
            holders[word].add(patient)
    kept = {word for word, named in holders.items() if len(named) >= FEWEST}

    def cut(passage: Passage) -> Passage:
        words = [word for word in words_of(passage.text) if word in kept]
        return replace(passage, text=" ".join(words))

    return [tuple(map(cut, passages)) for passages in texts]
