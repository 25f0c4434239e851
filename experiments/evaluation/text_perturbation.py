"""Perturbations of the text given at test: typos, synonyms, stop words, no or another's text.

Each changes the passages that the text policy allows, so redacted text stays redacted. Draws depend
on the seed and the study alone: systems with one policy are tested on the very same text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from encoders.study import Passage
from kg.errors import InputError
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph

__all__ = ["PERTURBATIONS", "Passages", "Texts"]

Passages = tuple[Passage, ...]

TYPOS = 0.1
"""Share of the words that get a typo."""
WORD = re.compile(r"[A-Za-z]{4,}")
"""Words that may get a typo."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NEGATIONS = frozenset(
    {"cannot", "cant", "except", "neither", "never", "no", "none", "nor", "not", "without"}
)
"""Words that lists of stop words hold, but that a report is not the same without."""
STOP_WORDS = ENGLISH_STOP_WORDS - NEGATIONS


@dataclass(frozen=True)
class Texts:
    """Allowed texts of the tested studies.

    Args:
        passages: Text of each study, `n`.
        studies: Id of each study.
        patients: Patient of each study.
        graph: The graph whose names are synonyms.
        linker: Reads mentions of its concepts.
        seed: Seed of all draws.
    """

    passages: tuple[Passages, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    graph: KnowledgeGraph
    linker: MentionLinker
    seed: int

    def generator(self, study: str) -> np.random.Generator:
        """Generator of a study's draws."""
        digest = hashlib.sha256(f"{self.seed} {study}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    def each(
        self, change: Callable[[Passages, np.random.Generator], Passages]
    ) -> tuple[Passages, ...]:
        """Every text, changed on its own."""
        pairs = zip(self.passages, self.studies, strict=True)
        return tuple(change(passages, self.generator(study)) for passages, study in pairs)


def with_typos(texts: Texts) -> tuple[Passages, ...]:
    """One letter left out, doubled, replaced or swapped with the next in a tenth of the words."""

    def change(passages: Passages, rng: np.random.Generator) -> Passages:
        def typed(match: re.Match[str]) -> str:
            return _mistyped(match.group(), rng) if rng.random() < TYPOS else match.group()

        return _rewritten(passages, lambda _, text: WORD.sub(typed, text))

    return texts.each(change)


def with_synonyms(texts: Texts) -> tuple[Passages, ...]:
    """Every name of a concept replaced by another of its names in the graph, where it has one."""

    def change(passages: Passages, rng: np.random.Generator) -> Passages:
        mentions = texts.linker.link(passages)

        def renamed(place: int, text: str) -> str:
            pieces, at = [], 0
            for one in sorted(mentions, key=lambda one: (one.start, -one.end)):
                if one.passage != place or one.start < at:
                    continue
                name = _other_name(texts.graph, one.concept, text[one.start : one.end], rng)
                pieces += [text[at : one.start], name]
                at = one.end
            return "".join((*pieces, text[at:]))

        return _rewritten(passages, renamed)

    return texts.each(change)


def without_stop_words(texts: Texts) -> tuple[Passages, ...]:
    """Without words that carry no content of their own; negations stay."""

    def kept(_: int, text: str) -> str:
        words = (word for word in text.split() if word.lower().strip(".,;:()") not in STOP_WORDS)
        return " ".join(words)

    return tuple(_rewritten(passages, kept) for passages in texts.passages)


def without_text(texts: Texts) -> tuple[Passages, ...]:
    """No text at all."""
    return ((),) * len(texts.passages)


def of_another_patient(texts: Texts) -> tuple[Passages, ...]:
    """The text of a study of another patient, each text once.

    Raises:
        InputError: If one patient has more than half of the studies.
    """
    patients = np.array(texts.patients, dtype=object)
    names, counts = np.unique(patients.astype(str), return_counts=True)
    most = int(counts.max())
    if 2 * most > len(patients):
        raise InputError(
            f"{most} of {len(patients)} tested studies are of one patient, so that not all can be "
            "given the text of another",
            "test on more patients",
        )
    order = np.random.default_rng(texts.seed).permutation(len(names))
    rank = dict(zip(names[order].tolist(), range(len(names)), strict=True))
    # studies of a patient in a row: a shift by the longest row always reaches another patient
    row = sorted(range(len(patients)), key=lambda at: (rank[texts.patients[at]], texts.studies[at]))
    given = dict(zip(row, [*row[most:], *row[:most]], strict=True))
    return tuple(texts.passages[given[at]] for at in range(len(patients)))


PERTURBATIONS: Mapping[str, Callable[[Texts], tuple[Passages, ...]]] = {
    "typos": with_typos,
    "synonyms": with_synonyms,
    "no stop words": without_stop_words,
    "no text": without_text,
    "another patient's text": of_another_patient,
}


def _rewritten(passages: Sequence[Passage], change: Callable[[int, str], str]) -> Passages:
    """Passages with their text changed, by place and text."""
    return tuple(replace(one, text=change(place, one.text)) for place, one in enumerate(passages))


def _mistyped(word: str, rng: np.random.Generator) -> str:
    """A word with one typo behind its first letter."""
    at = int(rng.integers(1, len(word) - 1))
    before, here, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    other = rng.choice([letter for letter in LETTERS if letter != here.lower()])
    made = (after + rest, here + here + after + rest, other + after + rest, after + here + rest)
    return str(before + made[int(rng.integers(len(made)))])


def _other_name(graph: KnowledgeGraph, concept: str, written: str, rng: np.random.Generator) -> str:
    """Another name of a concept; the words as they are where they are none of its names."""
    if concept not in graph.index:
        return written
    known = graph.concept(concept)
    names = dict.fromkeys(name.lower() for name in (known.label, *known.synonyms))
    others = [name for name in names if name != written.lower() and name.isascii()]
    if written.lower() not in names or not others:
        return written
    name = str(rng.choice(others))
    return name.capitalize() if written[0].isupper() else name
