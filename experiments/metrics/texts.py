"""Overlap of generated and true texts: BLEU, ROUGE-L, METEOR and CIDEr-D.

One reference for each text. They count words; `efficacy` counts findings.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
import snowballstemmer
from numpy.typing import NDArray

from experiments.metrics.arrays import FloatArray, ratio
from experiments.metrics.sums import Metric, StudySums, Weighted, share

__all__ = ["TEXT_METRICS", "text_sums", "words_of"]

Words = Sequence[str]
Grams = Counter[tuple[str, ...]]

LONGEST = 4
"""Length of the longest n-gram, in words."""

ROUGE_BETA = 1.2
"""Weight of recall against precision in ROUGE-L, as in the evaluation of captions on COCO."""

METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA = 0.9, 3.0, 0.5
"""Weight of recall, exponent and weight of fragmentation (Lavie and Agarwal 2007)."""

CIDER_SIGMA = 6.0
"""Standard deviation, in words, of the penalty on a wrong length in CIDEr-D."""

_WORD = re.compile(
    r"[a-z\u00df-\u024f]+(?:['\u2019][a-z]+)?|[0-9]+(?:[.,][0-9]+)*|[\u3400-\u4dbf\u4e00-\u9fff]"
)
_STEMMER = snowballstemmer.stemmer("porter")


def words_of(text: str) -> list[str]:
    """Lower-case words, numbers and single Chinese characters; no punctuation."""
    return _WORD.findall(text.lower())


def text_sums(written: Sequence[Words], references: Sequence[Words]) -> StudySums:
    """Numbers of each text, for the sums.

    N-grams are rare or common among these references (CIDEr-D), so that systems are compared on
    the same ones.

    Args:
        written: Words of the generated texts, one for each study.
        references: Words of the true texts.
    """
    pairs = list(zip(written, references, strict=True))
    rows = {
        "texts": np.ones(len(pairs)),
        "written_words": np.array([len(text) for text, _ in pairs]),
        "reference_words": np.array([len(truth) for _, truth in pairs]),
        "rouge_l": np.array([_rouge_l(*pair) for pair in pairs]),
        "meteor": np.array([_meteor(*pair) for pair in pairs]),
        "cider": _cider(pairs),
    }
    for size in range(1, LONGEST + 1):
        grams = [(_grams(text, size), _grams(truth, size)) for text, truth in pairs]
        rows[f"grams_{size}"] = np.array([text.total() for text, _ in grams])
        rows[f"matches_{size}"] = np.array([(text & truth).total() for text, truth in grams])
    return StudySums.of(rows)


def _bleu(order: int) -> Metric:
    """BLEU of the whole corpus up to n-grams of a size, without smoothing (Papineni 2002)."""

    def metric(studies: Weighted) -> FloatArray:
        sizes = range(1, order + 1)
        shares = [ratio(studies[f"matches_{n}"], studies[f"grams_{n}"]) for n in sizes]
        # a text too short for an n-gram has no match, which is what counts
        precision = np.nan_to_num(np.stack(shares)).prod(axis=0) ** (1 / order)
        written, true = studies["written_words"], studies["reference_words"]
        short = np.exp(np.minimum(0.0, 1 - true / np.maximum(written, 1)))
        return np.where(studies["texts"] > 0, precision * short, np.nan)

    return metric


TEXT_METRICS: Mapping[str, Metric] = {
    **{f"bleu_{order}": _bleu(order) for order in range(1, LONGEST + 1)},
    "rouge_l": share("rouge_l", "texts"),
    "meteor": share("meteor", "texts"),
    "cider_d": share("cider", "texts"),
    "words": share("written_words", "texts"),
}
"""Metrics of `text_sums`. METEOR matches words and their stems, without synonyms; CIDEr-D is times
10, as is usual; `words` is the mean length of the generated texts."""


def _grams(words: Words, size: int) -> Grams:
    """Counts of the n-grams of `size` words in a text."""
    return Counter(zip(*(words[place:] for place in range(size)), strict=False))


def _rouge_l(written: Words, truth: Words) -> float:
    """F of the longest common subsequence (Lin 2004)."""
    common = _longest_common(written, truth)
    if not common:
        return 0.0
    precision, recall = common / len(written), common / len(truth)
    weight = ROUGE_BETA**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def _longest_common(first: Words, second: Words) -> int:
    """Length of the longest common subsequence, a row of the usual table at once."""
    ids: dict[str, int] = {}
    one, other = (
        np.array([ids.setdefault(word, len(ids)) for word in words], dtype=np.int64)
        for words in (first, second)
    )
    best: NDArray[np.int64] = np.zeros(len(other) + 1, dtype=np.int64)
    for word in one:
        longer = np.where(other == word, best[:-1] + 1, best[1:])
        best[1:] = np.maximum.accumulate(longer)
    return int(best[-1])


def _meteor(written: Words, truth: Words) -> float:
    """Weighted F of matched words, less the more pieces the match is in (Lavie and Agarwal 2007).

    Words are matched where they are equal, then by Porter stem, each with the latest free one, as
    in nltk.
    """
    matched = _aligned(written, truth)
    if not matched:
        return 0.0
    precision, recall = len(matched) / len(written), len(matched) / len(truth)
    mean = precision * recall / (METEOR_ALPHA * precision + (1 - METEOR_ALPHA) * recall)
    steps = zip(matched, matched[1:], strict=False)
    pieces = 1 + sum((i + 1, j + 1) != after for (i, j), after in steps)
    return mean * (1 - METEOR_GAMMA * float((pieces / len(matched)) ** METEOR_BETA))


def _aligned(written: Words, truth: Words) -> list[tuple[int, int]]:
    """Positions of matched words, in the order of the generated text."""
    matched: dict[int, int] = {}
    stems = [[_stem(word) for word in words] for words in (written, truth)]
    for one, other in ((written, truth), stems):
        free: dict[str, list[int]] = {}
        taken = set(matched.values())
        for place, word in enumerate(other):
            if place not in taken:
                free.setdefault(word, []).append(place)
        for place in reversed(range(len(one))):
            if place not in matched and free.get(one[place]):
                matched[place] = free[one[place]].pop()
    return sorted(matched.items())


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word)
    return stem


def _cider(pairs: Sequence[tuple[Words, Words]]) -> FloatArray:
    """CIDEr-D of each text (Vedantam 2015): cosine of its n-grams, weighed by rarity, times 10."""
    total = np.zeros(len(pairs))
    width = np.array([len(text) - len(truth) for text, truth in pairs])
    for size in range(1, LONGEST + 1):
        grams = [(_grams(text, size), _grams(truth, size)) for text, truth in pairs]
        known = Counter(gram for _, truth in grams for gram in truth)
        total += [
            _cosine(_weighed(text, known, len(pairs)), _weighed(truth, known, len(pairs)))
            for text, truth in grams
        ]
    return 10 * total / LONGEST * np.exp(-(width**2) / (2 * CIDER_SIGMA**2))


def _weighed(grams: Grams, known: Grams, texts: int) -> dict[tuple[str, ...], float]:
    """TF-IDF of a text's n-grams; one in no reference is as rare as one in a single one."""
    return {gram: n * math.log(texts / max(known[gram], 1)) for gram, n in grams.items()}


def _cosine(text: Mapping[tuple[str, ...], float], truth: Mapping[tuple[str, ...], float]) -> float:
    """Cosine where an n-gram of the text counts no more often than it stands in the reference."""

    def clipped() -> Iterator[float]:
        for gram, weight in text.items():
            yield min(weight, truth.get(gram, 0.0)) * truth.get(gram, 0.0)

    length = math.sqrt(sum(w * w for w in text.values()) * sum(w * w for w in truth.values()))
    return sum(clipped()) / length if length > 0 else 0.0
