"""One sentence of each text, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.batch import Text
from encoders.study import DESCRIBING
from encoders.text import PARTS

__all__ = ["one_sentence"]

LEAST = 3
"""Fewest words of a sentence that is drawn where a text has one so long."""


def one_sentence(
    text: Text, generator: np.random.Generator, sections: Sequence[str] = DESCRIBING
) -> Text:
    """The texts with one sentence left of each, moved to the front.

    It is one of the sections named, in texts that have any of them, and of at least `LEAST` words,
    which the number of an item has not, where there are such. Word ids keep a language model's
    marks of start and end around the sentence; vectors of a frozen encoder lose them, since these
    hold the whole text. A text without a sentence stays empty. Sentences and words keep their
    numbers.

    Args:
        text: Texts that know their sentences.
        generator: Where the draws come from, one for each text.
        sections: Names of the sections whose sentences are drawn.
    """
    if text.sentence is None or text.word is None:
        raise ValueError("the text does not know its sentences")
    wanted = torch.isin(text.part, torch.tensor([PARTS.index(name) for name in sections]))
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
        text.part.gather(1, order) * there,
        moved(text.sentence, -1),
        moved(text.word, -1),
    )


def _draw(places: NDArray[np.int64], share: float) -> int:
    """The sentence of a text that is drawn; -2 where it has none.

    Args:
        places: Sentence and word of each token, and whether its section is wanted, `[T, 3]`.
        share: Number in [0, 1) that draws.
    """
    words = np.unique(places[places[:, 0] >= 0], axis=0)
    if words[:, 2].any():
        words = words[words[:, 2] == 1]
    sentences, counts = np.unique(words[:, 0], return_counts=True)
    long = sentences[counts >= LEAST]
    left = long if len(long) else sentences
    return int(left[int(share * len(left))]) if len(left) else -2
