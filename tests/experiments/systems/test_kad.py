"""kad: the graph as text, partners of the same concept, and strings of stated concepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from encoders.batch import Statements, StudyBatch, Text
from experiments.systems._graph_text import SCALE, joined
from experiments.systems.kad import KAD
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import WORDS

Build = Callable[..., tuple[System, StudyBatch]]


@pytest.fixture
def built(build: Build) -> tuple[KAD, StudyBatch]:
    system, batch = build("kad")
    assert isinstance(system, KAD)
    return system, batch


def written(system: KAD, text: Text) -> list[str]:
    words = list(system.encoder.index)
    assert text.words is not None
    return [
        " ".join(words[n] for n in row[mask].tolist())
        for row, mask in zip(text.words, text.mask, strict=True)
    ]


def test_texts_are_joined_without_the_padding_between_them() -> None:
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
    one = Text(torch.tensor([[1, 2, 0], [3, 0, 0], [0, 0, 0]]), None, mask, mask.long())
    other = Text(
        torch.tensor([[7], [8], [9]]), None, torch.ones(3, 1).bool(), torch.ones(3, 1).long()
    )
    whole = joined(one, other)
    assert whole.words is not None
    assert whole.words.tolist() == [[1, 2, 7], [3, 8, 0], [9, 0, 0]]
    assert whole.mask.sum(1).tolist() == [3, 2, 1]
    assert torch.equal(whole.section, whole.mask.long())


def test_a_report_is_the_names_of_what_it_states(built: tuple[KAD, StudyBatch]) -> None:
    system, _ = built
    concept = torch.tensor([[2, 0, 1], [4, -1, -1], [-1, -1, -1]])
    assertion = torch.tensor([[1.0, -1.0, 0.5], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    nowhere = torch.full_like(concept, -1)
    said = system.entities(Statements(concept, assertion, *[nowhere] * 4))
    assert written(system, said) == ["effusion no mass nodule", "no heart", ""]
    short = system.options.model_copy(update={"longest": 2})
    system.options = short
    cut = system.entities(Statements(concept, assertion, *[nowhere] * 4))
    assert written(system, cut)[0] == "effusion no"


def test_facts_are_written_from_either_end(built: tuple[KAD, StudyBatch]) -> None:
    system, _ = built
    seen: list[str] = []

    def listen(text: Text, encoder: object) -> torch.Tensor:
        seen.extend(written(system, text))
        return torch.zeros(len(text.mask), 4)

    system.knowledge.vectors = listen  # type: ignore[method-assign]
    system.knowledge.facts(torch.tensor([[0, 1, 2]]), system.encoder)
    assert seen == [f"{WORDS[0]} {WORDS[1]}", f"{WORDS[1]} {WORDS[2]}"]


def test_partners_are_of_the_same_concept_by_hand(built: tuple[KAD, StudyBatch]) -> None:
    """Edges 0 and 1 share the tail; 0 and 2 share head and relation; 3 shares nothing."""
    system, _ = built
    triples = torch.tensor([[0, 0, 1], [2, 0, 1], [0, 0, 3], [4, 1, 5]])
    with torch.no_grad():
        loss = float(system.knowledge.triples(triples, system.encoder))
        forth, back = system.knowledge.facts(triples, system.encoder)
        heads, tails = (
            system.knowledge.vectors(system.knowledge.text("names", ends), system.encoder)
            for ends in (triples[:, 0], triples[:, 2])
        )
    both = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]).float()
    expected = 0.0
    # for the way back the same rows share relation and tail, or the head
    for one, other in ((forth, tails), (back, heads)):
        scores, shares = one @ other.T * SCALE, both / both.sum(1, keepdim=True)
        expected += float(F.cross_entropy(scores, shares) + F.cross_entropy(scores.T, shares)) / 4
    assert loss == pytest.approx(expected, rel=1e-5)


def test_a_graph_without_edges_teaches_no_triples(built: tuple[KAD, StudyBatch]) -> None:
    system, batch = built
    nothing = replace(batch, triples=torch.zeros(0, 3, dtype=torch.long))
    loss = system.triples(nothing)
    assert loss.item() == 0.0
    loss.backward()
    assert float(system.triples(batch)) > 0


def test_it_learns_the_graph(built: tuple[KAD, StudyBatch]) -> None:
    """Edges lead from each finding to the next; after training the true end is the nearest."""
    system, _ = built
    at = torch.arange(6)
    triples = torch.stack([at, torch.zeros_like(at), (at + 1) % 6], 1)
    parameters = [*system.encoder.parameters(), *system.knowledge.parameters()]
    optimiser = torch.optim.Adam(parameters, 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        system.knowledge.triples(triples, system.encoder).backward()
        optimiser.step()
    with torch.no_grad():
        found = system.relate(triples)
    assert found.shape == (6, 6)
    assert torch.equal(found.argmax(1), triples[:, 2])


def test_a_frozen_text_encoder_is_refused(build: Build) -> None:
    with pytest.raises(InputError, match="text encoder that trains"):
        build("kad", lacks={"text_encoder": None})
