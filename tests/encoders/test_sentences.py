"""A drawn sentence is a whole sentence of its own text, and the draw hangs on the generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.batch import Text
from encoders.sentences import one_sentence
from encoders.study import Passage
from encoders.text.tiny_transformer import TinyTransformer

REPORTS = [
    (
        Passage("indication", "Chest pain since Monday. Rule out pneumonia."),
        Passage("findings", "1. Heart size is normal. No pleural effusion or pneumothorax."),
        Passage("impression", "Clear lungs bilaterally."),
    ),
    (),
    (Passage("findings", "Stable."),),
    (Passage("impression", "No acute disease; old fracture of a rib."),),
]
SENTENCES = [
    {
        "heart size is normal .",
        "no pleural effusion or pneumothorax .",
        "clear lungs bilaterally .",
    },
    {""},
    {"stable ."},
    {"no acute disease ;", "old fracture of a rib ."},
]


def own() -> tuple[TinyTransformer, Text]:
    encoder = TinyTransformer(TinyTransformer.Options(width=8, at_least=1, max_length=40))
    encoder.fit(REPORTS)
    made = encoder.tokenized(REPORTS)
    return encoder, Text(made.words, None, made.mask, made.section, made.sentence, made.word)


def words(encoder: TinyTransformer, text: Text, row: int) -> str:
    assert text.words is not None
    names = list(encoder.index)
    return " ".join(names[int(one)] for one in text.words[row][text.mask[row]])


def test_every_long_sentence_is_drawn_and_nothing_else() -> None:
    encoder, text = own()
    generator = np.random.default_rng(3)
    seen: list[set[str]] = [set() for _ in REPORTS]
    for _ in range(60):
        drawn = one_sentence(text, generator)
        assert drawn.mask.any(0).all()
        for row, found in enumerate(seen):
            found.add(words(encoder, drawn, row))
    assert seen == SENTENCES


def test_of_other_sections_only_where_there_is_nothing_else() -> None:
    encoder, text = own()
    generator = np.random.default_rng(0)
    asked = {words(encoder, one_sentence(text, generator, ("indication",)), 0) for _ in range(20)}
    assert asked == {"chest pain since monday .", "rule out pneumonia ."}
    drawn = one_sentence(text, generator, ("indication",))
    assert words(encoder, drawn, 2) == "stable ."


def test_the_same_generator_draws_the_same_and_numbers_stay() -> None:
    encoder, text = own()
    one, other = (one_sentence(text, np.random.default_rng([1, 2, 3])) for _ in range(2))
    assert one.words is not None
    assert other.words is not None
    assert one.sentence is not None
    assert text.sentence is not None
    assert torch.equal(one.words, other.words)
    row = words(encoder, one, 0)
    (number,) = one.sentence[0][one.mask[0]].unique().tolist()
    whole = words(encoder, text, 0).split()
    at = (text.sentence[0] == number)[text.mask[0]].tolist()
    assert row == " ".join(word for word, here in zip(whole, at, strict=True) if here)
    assert not one.mask[1].any()
    assert (one.sentence[1] == -1).all()
    later = one_sentence(text.rows(torch.tensor([3, 0])), np.random.default_rng(0))
    assert later.mask.shape[0] == 2


def test_frozen_vectors_lose_the_marks_that_hold_the_whole_text() -> None:
    mask = torch.tensor([[True] * 6])
    sentence = torch.tensor([[-1, 0, 0, 0, 1, -1]])
    word = torch.tensor([[-1, 0, 1, 2, 3, -1]])
    tokens = torch.arange(6.0).view(1, 6, 1)
    frozen = one_sentence(
        Text(None, tokens, mask, mask.long(), sentence, word), np.random.default_rng(0)
    )
    assert frozen.tokens is not None
    assert frozen.tokens.flatten().tolist() == [1, 2, 3]
    ids = torch.arange(10, 16)[None]
    trained = one_sentence(
        Text(ids, None, mask, mask.long(), sentence, word), np.random.default_rng(0)
    )
    assert trained.words is not None
    assert trained.words.tolist() == [[10, 11, 12, 13, 15]]


def test_a_text_without_sentence_numbers_is_refused() -> None:
    _, text = own()
    blind = Text(text.words, None, text.mask, text.section)
    with pytest.raises(ValueError, match="no sentence numbers"):
        one_sentence(blind, np.random.default_rng(0))
