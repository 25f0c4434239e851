"""Deletion of units: what is deleted is gone, and the rest is as it was."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from encoders.batch import StudyBatch
from encoders.study import Passage
from experiments.explanation.deletion import (
    MOST_WORDS,
    Concepts,
    Span,
    cut,
    places_of,
    shares,
    with_tokens,
    word_spans,
)
from experiments.explanation.facts import EdgeDeletion
from fusion.system import Output, System


class Sum(System):
    """Logit of the first finding: sum of the pixels or tokens, and of the stated concepts."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def losses(self, batch: StudyBatch, stage: Any) -> dict[str, Tensor]:
        return {}

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        values = batch.pixels if batch.image_tokens is None else batch.image_tokens
        assert values is not None
        total = (values * self.weight).flatten(1).sum(1)
        if batch.evidence is not None:
            total = total + batch.evidence.sum(1)
        return Output(total[:, None].expand(-1, len(findings)))


def plain(**fields: Any) -> StudyBatch:
    zeros = torch.zeros(1, 2, dtype=torch.long)
    empty: dict[str, Any] = dict.fromkeys(("pixels", "image_tokens", "text", "evidence"))
    made = {**empty, "image_mask": torch.tensor([[True, False]]), "targets": torch.zeros(1, 1)}
    return StudyBatch(ids=("s",), view=zeros, modality=zeros, **{**made, **fields})


def test_a_place_of_tokens_counts_by_what_is_over_the_mean() -> None:
    tokens = torch.zeros(1, 2, 9, 4)
    tokens[0, 0, 4] = 1.0  # the middle of the first picture; the second is not there
    tokens[0, 1] = 7.0
    places = places_of(plain(image_tokens=tokens))
    assert places is not None
    assert places.pictures == (0,)
    found = shares(Sum(torch.ones(())), places, ("f",))[:, 0].reshape(3, 3)
    expected = np.full((3, 3), -4 / 9)
    expected[1, 1] = 4 * 8 / 9
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_place_of_pixels_is_a_square_of_them() -> None:
    pixels = torch.zeros(1, 2, 1, 32, 32)
    pixels[0, 0, 0, 4:8, 8:12] = 1.0
    places = places_of(plain(pixels=pixels))
    assert places is not None
    found = shares(Sum(torch.ones(())), places, ("f",))[:, 0].reshape(8, 8)
    assert np.unravel_index(found.argmax(), found.shape) == (1, 2)
    mean = 16 / 32**2
    assert found[1, 2] == pytest.approx(16 - 16 * mean, abs=1e-4)
    assert found[0, 0] == pytest.approx(-16 * mean, abs=1e-4)


@pytest.mark.parametrize(
    "fields",
    [
        {"image_tokens": torch.zeros(1, 2, 1, 4)},  # a picture is one token
        {"image_tokens": torch.zeros(1, 2, 4, 4), "image_mask": torch.zeros(1, 2).bool()},
        {},
    ],
)
def test_without_places_there_is_no_map(fields: Any) -> None:
    assert places_of(plain(**fields)) is None


def test_a_stated_concept_is_taken_from_the_evidence() -> None:
    evidence = torch.tensor([[0.0, 1.0, 0.0, -1.0, 0.5]])
    concepts = Concepts.of(plain(image_tokens=torch.zeros(1, 2, 4, 4), evidence=evidence))
    assert concepts.stated == (1, 3, 4)
    found = shares(Sum(torch.ones(())), concepts, ("f",))[:, 0]
    np.testing.assert_allclose(found, [1.0, -1.0, 0.5])


def test_words_are_cut_where_they_stand() -> None:
    passages = (Passage("indication", "No cough, fever."), Passage("findings", "肺炎 clear"))
    spans = word_spans(passages)
    texts = [passages[one.passage].text[one.start : one.end] for one in spans]
    assert texts == ["No", "cough", "fever", "肺", "炎", "clear"]
    left = cut(passages, [spans[1], spans[3], spans[4]])
    assert [one.text for one in left] == ["No , fever.", " clear"]
    assert [one.name for one in left] == ["indication", "findings"]
    assert cut(passages, []) == passages


def test_a_long_text_is_cut_by_sentences() -> None:
    long = (Passage("findings", "The heart is large. " * MOST_WORDS),)
    spans = word_spans(long)
    assert len(spans) == MOST_WORDS
    assert spans[0] == Span(0, 0, 19)


class Blocks(nn.Module):
    """An image encoder: the mean of each quarter of a picture, in two numbers; counts pictures."""

    Options: Any = None
    preprocessing: Any = None
    width = 2

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.encoded += len(pixels)
        means = adaptive_avg_pool2d(pixels, 2).flatten(2).transpose(1, 2)
        return torch.cat([means, means**2], 2)

    def weights_hash(self) -> str:
        return ""

    def trainable(self, last: int) -> tuple[str, ...]:
        return ()


class Encoded(Sum):
    """`Sum` of the tokens of one or more image encoders."""

    def __init__(self, encoders: int = 1, maps: Any = ()) -> None:
        super().__init__(torch.linspace(0.5, 2.0, 8).reshape(4, 2))
        self.encoders = nn.ModuleList(Blocks() for _ in range(encoders))
        self.setting: Any = SimpleNamespace(image_maps=dict.fromkeys(maps))

    @property
    def encoded(self) -> int:
        return sum(one.encoded for one in self.encoders)

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        tokens = batch.image_tokens
        if tokens is None:
            assert batch.pixels is not None
            made = sum(one(batch.pixels[batch.image_mask]) for one in self.encoders)
            tokens = batch.pixels.new_zeros(*batch.image_mask.shape, 4, 2)
            tokens[batch.image_mask] = made
        return super().predict(replace(batch, pixels=None, image_tokens=tokens), findings)


def pictures(rng: int = 0) -> StudyBatch:
    """A study of two pictures and the place of a third."""
    pixels = torch.rand(1, 3, 1, 32, 32, generator=torch.Generator().manual_seed(rng))
    mask = torch.tensor([[True, False, True]])
    return replace(plain(pixels=pixels), image_mask=mask)


def test_pictures_that_stay_as_they_are_are_encoded_once() -> None:
    system, batch = Encoded(), pictures()
    plainly = places_of(batch)
    once = places_of(batch, system)
    assert plainly is not None
    assert once is not None
    expected = shares(system, plainly, ("f",))
    assert system.encoded == 2 * (2 * 64 + 1)
    found = shares(system, once, ("f",))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # each changed picture, and the unchanged ones once a chunk of variants
    assert system.encoded - 2 * (2 * 64 + 1) <= 2 * 64 + 2 * 3


def test_a_study_with_its_tokens_is_answered_as_with_its_pixels() -> None:
    system, batch = Encoded(), pictures(1)
    tokens = with_tokens(system, batch)
    assert tokens.pixels is None
    expected, found = (system.predict(one, ("f",)).logits for one in (batch, tokens))
    torch.testing.assert_close(found, expected)
    assert with_tokens(system, tokens) is tokens


@pytest.mark.parametrize("system", [Encoded(encoders=2), Encoded(maps=("stage 3",)), Encoded(0)])
def test_a_system_that_reads_more_than_the_tokens_of_one_encoder_is_given_pixels(
    system: Encoded,
) -> None:
    assert with_tokens(system, pictures()).image_tokens is None


def test_a_study_that_says_nothing_has_the_mean_of_its_pixels_however_they_are_read() -> None:
    """Not the mean of its tokens, which still is of this picture."""
    whole, once = Encoded(maps=("stage 3",)), Encoded()
    by_pixels, by_tokens = (EdgeDeletion(system, pictures(2)).both for system in (whole, once))
    assert by_pixels.pixels is not None
    assert by_tokens.image_tokens is not None
    expected, found = (once.predict(both, ("f",)).logits for both in (by_pixels, by_tokens))
    torch.testing.assert_close(found, expected)
