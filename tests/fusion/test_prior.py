"""A prior on trained answers: by hand, unseen by training, and weighed by what validation says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from encoders.batch import StudyBatch
from fusion.classifier import KnowledgeClassifier
from fusion.evidence_propagation import GAIN, START, PropagationPrior
from fusion.system import Setting
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

BOOK = (Evidence("a textbook", "curated", "asserted"),)


@pytest.fixture
def small() -> KnowledgeGraph:
    """A sign that suggests an illness, and a concept on its own."""
    concepts = tuple(Concept(f"ckg:{name}", name, "finding") for name in ("sign", "ill", "far"))
    return KnowledgeGraph(concepts, (Edge("ckg:sign", "suggestive_of", "ckg:ill", BOOK),))


def test_by_hand(small: KnowledgeGraph) -> None:
    sign, ill, far = (small.index[f"ckg:{name}"] for name in ("sign", "ill", "far"))
    prior = PropagationPrior(small, 1).eval()
    stated = torch.zeros(4, 3)
    stated[:, sign] = torch.tensor([1.0, 0.0, 0.0, -1.0])
    nothing = torch.zeros(4, 3)
    prior.fit(stated)
    assert torch.count_nonzero(prior(stated, nothing)) == 0  # no weight is chosen yet
    prior.weight.fill_(0.5)
    found = prior(stated, torch.rand(4, 3))
    # mean 0, variance 2/4: present and absent stand half a root of two apart from it
    assert found[:, sign].tolist() == pytest.approx([0.5 * 2**0.5, 0, 0, -0.5 * 2**0.5])
    assert torch.allclose(found[:, ill], found[:, sign])
    assert torch.count_nonzero(found[:, far]) == 0
    assert prior.unit[ill].item() == pytest.approx(GAIN * START * 0.5**0.5)


def test_training_never_sees_it(small: KnowledgeGraph) -> None:
    prior = PropagationPrior(small, 1).train()
    prior.fit(torch.eye(3))
    prior.weight.fill_(2.0)
    assert torch.count_nonzero(prior(torch.eye(3), torch.ones(3, 3))) == 0
    assert not any(parameter.requires_grad for parameter in prior.parameters())


def test_answers_are_what_was_trained_and_the_prior(
    classifier: Callable[..., KnowledgeClassifier], batch: StudyBatch, setting: Setting
) -> None:
    model = classifier(propagation="prior")
    assert model.prior is not None
    assert batch.evidence is not None
    model.prior.fit(batch.evidence)
    asked = (*setting.findings, setting.graph.concepts[0].id)
    with torch.no_grad():
        alone = model.predict(batch, asked).logits
        model.prior.weight.fill_(1.5)
        both = model.predict(batch, asked).logits
        added = model.prior(batch.evidence, torch.zeros_like(batch.evidence))
    places = [setting.graph.index[concept] for concept in asked]
    assert (added != 0).any()
    torch.testing.assert_close(both - alone, added[:, places], atol=1e-5, rtol=1e-4)
    # where nothing is stated every study is moved alike
    with torch.no_grad():
        silent = replace(batch, evidence=None)
        moved = model.predict(silent, asked).logits
        model.prior.weight.fill_(0.0)
        moved = moved - model.predict(silent, asked).logits
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-5, rtol=1e-4)


def test_closed_there_is_none(classifier: Callable[..., KnowledgeClassifier]) -> None:
    assert classifier(propagation="prior", propagation_steps=0).prior is None
    assert classifier().prior is None
