"""Every system gives evidence of its answers: maps of places, shares of words, facts of a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch, Text
from encoders.study import Passage
from experiments.explanation.deletion import PIXEL_CELLS, Words, places_of, shares, word_spans
from experiments.explanation.facts import TINY, EdgeDeletion, fact_paths
from experiments.explanation.image_maps import cells_of
from fusion.capabilities import Classifies, Perturbs
from fusion.system import System
from tests.experiments.systems.conftest import FINDINGS, SIDE, each_case, made_statements

Build = Callable[..., tuple[System, StudyBatch]]
UNANSWERED = {
    "clinical_bert", "clinical_bert, writing", "liao", "liao, as a whole", "medvill",
    "medvill, writing", "vlm_report", "wang_mixed",
}  # fmt: skip
"""Cases that answer for no finding."""


def study(batch: StudyBatch, row: int = 0) -> StudyBatch:
    """One study of a batch."""
    at = torch.tensor([row])

    def one(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[at]
        return value.rows(at) if hasattr(value, "rows") else value

    made = {f.name: one(getattr(batch, f.name)) for f in fields(batch) if f.name != "ids"}
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
        stated = made_statements(len(passages))
        return Text(made.words, None, made.mask, made.section, made.sentence, made.word, stated)

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
    one = study(batch)
    answers = isinstance(system, Classifies)
    known = tuple(f for f in FINDINGS if answers and system.basis(f) != "not_possible")
    if not known:  # retrieval or grades alone: there is no answer to explain
        assert name in UNANSWERED
        return
    places = places_of(one)
    assert places is not None
    side = SIDE if batch.pixels is None else PIXEL_CELLS
    assert (places.count, places.side) == (2 * side**2, side)
    maps = cells_of(system, places, known, "occlusion")
    assert maps.shape == (len(known), 2, side, side)
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
        edges = EdgeDeletion(system, one)
        facts = [fact for of in fact_paths(system, one, known) for fact in of]
        assert facts
        some = list(dict.fromkeys(one.edge for fact in facts for one in fact.edges))
        together = edges.shares(known, [(edge,) for edge in some])
        alone = [[edges.shares((f,), [(edge,)])[0, 0] for f in known] for edge in some]
        np.testing.assert_allclose(together, np.reshape(alone, together.shape), atol=1e-5)
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
