"""One sentence of each text, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.batch import Text
from encoders.study import DESCRIBING
from encoders.text import TEXT_SECTIONS

__all__ = ["one_sentence"]

LEAST = 3
"""Least number of words of a drawn sentence, where a text has one so long."""


def one_sentence(
    text: Text, generator: np.random.Generator, sections: Sequence[str] = DESCRIBING
) -> Text:
    """The texts with one sentence left of each, moved to the front.

    The sentence is of one of `sections` in texts that have any, and of at least `LEAST` words
    (unlike the number of a list item) in texts that have one. Word ids keep a language model's
    marks of start and end around the sentence; vectors of a frozen encoder lose them, since these
    hold the whole text. A text without a sentence stays empty. Sentences and words keep their
    numbers.

    Args:
        text: Texts with sentence numbers.
        generator: Source of the draws, one for each text.
        sections: Names of the sections whose sentences are drawn.
    """
    if text.sentence is None or text.word is None:
        raise ValueError("the text has no sentence numbers")
    numbers = torch.tensor([TEXT_SECTIONS.index(name) for name in sections])
    wanted = torch.isin(text.section, numbers)
    places = torch.stack((text.sentence, text.word, wanted), dim=2).numpy()
    drawn = generator.random(len(places))
    chosen = torch.tensor([_draw(*pair) for pair in zip(places, drawn, strict=True)])
    kept = text.mask & (text.sentence == chosen[:, None])
    if text.tokens is None:
        kept |= text.mask & (text.sentence < 0)
    order = (~kept).long().argsort(dim=1, stable=True)[:, : max(int(kept.sum(1).max()), 1)]
    there = kept.gather(1, order)

    def moved(value: Tensor | None, fill: int = 0) -> Tensor | None:
        if value is None:
            return None
        rows = value[torch.arange(len(value))[:, None], order]
        rows[~there] = fill
        return rows

    return Text(
        moved(text.words),
        moved(text.tokens),
        there,
        text.section.gather(1, order) * there,
        moved(text.sentence, -1),
        moved(text.word, -1),
    )


def _draw(places: NDArray[np.int64], share: float) -> int:
    """Index of the drawn sentence of a text; -2 where it has none.

    Args:
        places: Sentence and word of each token, and whether its section is wanted, `[T, 3]`.
        share: Random number in [0, 1).
    """
    words = np.unique(places[places[:, 0] >= 0], axis=0)
    if words[:, 2].any():
        words = words[words[:, 2] == 1]
    sentences, counts = np.unique(words[:, 0], return_counts=True)
    long = sentences[counts >= LEAST]
    left = long if len(long) else sentences
    return int(left[int(share * len(left))]) if len(left) else -2
