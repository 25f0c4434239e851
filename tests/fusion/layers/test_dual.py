"""Dual encoder: who is no rival, by hand; and prompts that are answered one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from encoders.batch import StudyBatch, Text
from fusion.layers.dual import same_study_or_text


def batch_of(*ids: str) -> StudyBatch:
    nothing = torch.zeros(len(ids), 1, dtype=torch.long)
    return StudyBatch(
        ids=ids,
        pixels=None,
        image_tokens=None,
        image_mask=nothing.bool(),
        view=nothing,
        modality=nothing,
        text=None,
        evidence=None,
        targets=nothing.float(),
    )


def texts(*rows: list[int]) -> Text:
    """Texts of these word ids; 0 is padding, -1 padding with a word behind the mask."""
    words = torch.tensor(rows)
    return Text(words.abs(), None, words > 0, torch.zeros_like(words))


def alike(batch: StudyBatch, text: Text) -> list[tuple[int, int]]:
    keys = same_study_or_text(batch, text)
    shared = ((keys[:, None] == keys[None]) & (keys >= 0)).any(-1)
    return [(a, b) for a, b in shared.nonzero().tolist() if a < b]


def test_the_same_study_and_the_same_words_are_no_rivals() -> None:
    ids = ("a", "b", "a", "c", "d", "e", "f")
    said = texts([5, 6, 0], [5, 6, 0], [7, 0, 0], [6, 5, 0], [5, 6, 9], [0, 0, 0], [0, 0, 0])
    assert alike(batch_of(*ids), said) == [(0, 1), (0, 2)]


def test_words_behind_the_mask_and_more_padding_change_nothing() -> None:
    short, long = texts([5, 6], [7, 0]), texts([5, 6, 0, -1], [7, -1, 0, 0])
    batch = batch_of("a", "b")
    assert torch.equal(same_study_or_text(batch, short), same_study_or_text(batch, long))


def test_long_texts_that_differ_in_one_word_stay_apart() -> None:
    rows = torch.randint(1, 20_000, (1, 190), generator=torch.Generator().manual_seed(0))
    many = rows.repeat(191, 1)
    many[torch.arange(190), torch.arange(190)] += 1
    keys = same_study_or_text(batch_of(*map(str, range(191))), texts(*many.tolist()))
    assert len(keys[:, 1].unique()) == 191
    assert (keys >= 0).all()


def test_texts_without_word_ids_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="word ids"):
        same_study_or_text(batch_of("a"), replace(texts([1]), words=None))
