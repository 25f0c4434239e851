"""Deletion of units: what is deleted is gone, the rest is as it was, and every system bears it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch, Text
from encoders.study import Passage
from experiments.explanation.deletion import (
    MOST_WORDS,
    Concepts,
    Span,
    Words,
    cut,
    places_of,
    shares,
    word_spans,
)
from experiments.explanation.facts import TINY, EdgeDeletion, fact_paths
from experiments.explanation.image_maps import cells_of
from fusion.capabilities import Classifies, Perturbs
from fusion.system import Output, System
from tests.experiments.systems.conftest import FINDINGS, SIDE, each_case

Build = Callable[..., tuple[System, StudyBatch]]


def study(batch: StudyBatch, row: int = 0) -> StudyBatch:
    """One study of a batch."""
    at = torch.tensor([row])

    def one(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[at]
        return value.rows(at) if isinstance(value, Text) else value

    fields = ("image_tokens", "image_mask", "view", "modality", "text", "evidence", "targets")
    made = {name: one(getattr(batch, name)) for name in (*fields, "metadata", "boxes")}
    return replace(batch, ids=batch.ids[row : row + 1], **made)


class Reader:
    """Reads texts by the encoder of a made-up setting; it states a concept for each word."""

    def __init__(self, system: System) -> None:
        self.encoder: Any = system.setting.text_encoder
        self.concepts = {
            one.label: place for place, one in enumerate(system.setting.graph.concepts)
        }

    def read(self, passages: Any, *, cached: bool = True) -> Text:
        assert not cached
        made = self.encoder.tokenized(passages)
        return Text(made.words, None, made.mask, made.section, made.sentence, made.word)

    def read_evidence(self, passages: Any) -> Tensor:
        found = torch.zeros(len(passages), len(self.concepts))
        for row, one in enumerate(passages):
            for word in " ".join(passage.text for passage in one).replace(".", "").split():
                if word in self.concepts:
                    found[row, self.concepts[word]] = 1.0
        return found


PASSAGES = (Passage("findings", "large mass. no effusion"),)


@each_case
def test_every_system_gives_evidence(build: Build, name: str) -> None:
    """In the picture where it reads pictures, in words where it reads text, in facts of a graph."""
    system, batch = build(name)
    if not isinstance(system, Classifies):
        pytest.skip("it does not answer for findings")
    one = study(batch)
    known = tuple(f for f in FINDINGS if system.basis(f) != "not_possible")
    if not known:
        pytest.skip("as it is trained here it knows no finding")
    places = places_of(one)
    assert places is not None
    assert (places.count, places.side) == (2 * SIDE**2, SIDE)
    maps = cells_of(system, places, known, "occlusion")
    assert maps.shape == (len(known), 2, SIDE, SIDE)
    assert np.isfinite(maps).all()
    reader = Reader(system)
    stated = reader.read_evidence([PASSAGES])
    one = replace(one, text=reader.read([PASSAGES], cached=False), evidence=stated)
    spans = word_spans(PASSAGES)
    words = Words(one, reader, PASSAGES, tuple((span,) for span in spans))  # type: ignore[arg-type]
    said = shares(system, words, known)
    assert said.shape == (4, len(known))
    assert np.isfinite(said).all()
    reads_pictures, reads_words = bool(np.any(maps)), bool(np.any(said))
    assert reads_pictures or reads_words or name in ("logistic_metadata",)
    if isinstance(system, Perturbs):
        found = shares(system, Concepts.of(one), known)
        facts = [
            fact
            for column, finding in enumerate(known)
            for fact in fact_paths(
                system, one, finding, found[:, column], EdgeDeletion(system, one)
            )
        ]
        assert facts
        graph = {edge.key for edge in system.setting.graph.edges}
        assert all(edge.edge.key in graph for fact in facts for edge in fact.edges)
        assert all(abs(fact.share) >= TINY for fact in facts)


@pytest.mark.parametrize("method", ["integrated_gradients", "grad_cam"])
@pytest.mark.parametrize("name", ["graph_fusion", "logistic_image", "convirt, fine-tuned"])
def test_maps_by_gradients(build: Build, name: str, method: Any) -> None:
    system, batch = build(name)
    places = places_of(study(batch))
    assert places is not None
    maps = cells_of(system, places, FINDINGS, method)
    assert maps.shape == (3, 2, SIDE, SIDE)
    assert np.isfinite(maps).all()
    assert np.any(maps)
    if method == "grad_cam":
        assert (maps >= 0).all()


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
