"""Queries of concepts and their controls, and what reports say of concepts."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch

from encoders.batch import Statements, StudyBatch, Text
from fusion.layers.concept_queries import Arm, ConceptQueries, draw_concepts, stated
from fusion.system import ConceptTexts, Setting
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

NAN = float("nan")
BOOK = (Evidence("a textbook", "curated", "asserted"),)


def frozen(vectors: torch.Tensor) -> Text:
    there = torch.ones(len(vectors), 1).bool()
    return Text(None, vectors[:, None], there, there.long())


@pytest.fixture
def setting() -> Setting:
    graph = KnowledgeGraph(
        tuple(Concept(f"x:{n}", f"word {n}", "finding") for n in range(5)),
        (
            Edge("x:0", "located_in", "x:3", BOOK),
            Edge("x:0", "located_in", "x:4", BOOK),
            Edge("x:1", "is_a", "x:0", BOOK),
        ),
    )
    torch.manual_seed(0)
    names, said, relations = torch.randn(5, 4), torch.randn(5, 4), torch.randn(2, 4)
    texts = ConceptTexts(frozen(names), frozen(said), frozen(relations))
    return Setting(
        graph, torch.zeros(5, 2), ("x:0",), supervised=("x:1",), text_width=4, texts=texts
    )


def built(setting: Setting, arm: Arm, aspects: tuple[str, ...] = ()) -> ConceptQueries:
    torch.manual_seed(1)
    made = ConceptQueries(setting, 4, arm, aspects)
    made.norm = torch.nn.Identity()
    with torch.no_grad():
        made.project.weight.copy_(torch.eye(4))
        made.project.bias.zero_()
    return made


def test_each_arm_asks_by_its_own_vectors(setting: Setting) -> None:
    assert setting.texts is not None
    everyone = torch.arange(5)
    asked = {arm: built(setting, arm)(everyone, None)[:, 0] for arm in get_args(Arm)}
    said, names = setting.texts.definitions.tokens, setting.texts.names.tokens
    assert said is not None
    assert names is not None
    torch.testing.assert_close(asked["definitions"], said[:, 0])
    torch.testing.assert_close(asked["names"], names[:, 0])
    moved = asked["permuted"]
    assert not torch.equal(moved, asked["definitions"])
    torch.testing.assert_close(moved.sort(0).values, said[:, 0].sort(0).values)
    assert not torch.equal(asked["random"], asked["definitions"])
    torch.testing.assert_close(asked["random"], asked["learned"].detach())


def test_all_arms_keep_the_same_number_of_numbers(setting: Setting) -> None:
    kept = {
        arm: {name: tuple(v.shape) for name, v in built(setting, arm).state_dict().items()}
        for arm in get_args(Arm)
    }
    assert all(shapes == kept["definitions"] for shapes in kept.values())
    trained = {arm: [n for n, _ in built(setting, arm).named_parameters()] for arm in kept}
    assert "kept" in trained.pop("learned")
    assert all(names == trained["names"] for names in trained.values())


def test_chance_is_drawn_anew_with_every_seed_and_kept_with_the_weights(setting: Setting) -> None:
    torch.manual_seed(1)
    one = ConceptQueries(setting, 4, "permuted")
    torch.manual_seed(2)
    other = ConceptQueries(setting, 4, "permuted")
    assert not torch.equal(one.order, other.order)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.order, other.order)


def test_an_aspect_names_neighbours_or_the_concept_itself(setting: Setting) -> None:
    assert setting.texts is not None
    names = setting.texts.names.tokens
    assert names is not None
    found = built(setting, "definitions", ("located_in", "is_a"))(torch.tensor([0, 1]), None)
    assert found.shape == (2, 3, 4)
    torch.testing.assert_close(found[0, 1], (names[3, 0] + names[4, 0]) / 2)
    torch.testing.assert_close(found[0, 2], names[0, 0])
    torch.testing.assert_close(found[1, 1], names[1, 0])
    torch.testing.assert_close(found[1, 2], names[0, 0])
    with pytest.raises(InputError, match="no relation is called 'lives_in'"):
        ConceptQueries(setting, 4, "definitions", ("lives_in",))


def test_without_a_text_encoder_there_are_no_queries(setting: Setting) -> None:
    for lacks in ({"texts": None}, {"text_width": 0}):
        with pytest.raises(InputError, match="text encoder"):
            ConceptQueries(replace(setting, **lacks), 4, "definitions")  # type: ignore[arg-type]


def test_learned_queries_ask_what_statements_taught(setting: Setting) -> None:
    assert built(setting, "learned").known("x:1")
    assert not built(setting, "learned").known("x:0")
    assert built(setting, "random").known("x:0")
    assert not built(setting, "random").known("x:9")


def batch_of(statements: Statements | None, coded: torch.Tensor | None = None) -> StudyBatch:
    nothing = torch.zeros(2, 1).long()
    return StudyBatch(
        ("a", "b"),
        *(None, None, nothing.bool(), nothing, nothing, None, None),
        targets=torch.zeros(2, 1),
        concept_targets=coded,
        statements=statements,
    )


def test_what_reports_say_by_hand() -> None:
    """Absent and present together is present; uncertain and padding say nothing."""
    concept = torch.tensor([[0, 0, 2, 1], [3, -1, -1, -1]])
    assertion = torch.tensor([[-1.0, 1.0, 0.5, -1.0], [-1.0, 0.0, 0.0, 0.0]])
    nowhere = torch.full_like(concept, -1)
    batch = batch_of(Statements(concept, assertion, *[nowhere] * 4))
    expected = torch.tensor([[1.0, 0.0, NAN, NAN], [NAN, NAN, NAN, 0.0]])
    torch.testing.assert_close(stated(batch, 4, "left_out"), expected, equal_nan=True)
    assert stated(batch_of(None), 4, "left_out").isnan().all()
    coded = torch.tensor([[1.0, 0.0], [NAN, 0.0]])
    assert stated(batch_of(None, coded), 2, "absent") is coded


def test_stated_concepts_are_drawn_before_others() -> None:
    targets = torch.full((2, 6), NAN)
    targets[0, 4], targets[1, 1] = 1.0, 0.0
    asked = torch.tensor([0, 1, 2, 4])
    for seed in range(5):
        torch.manual_seed(seed)
        assert set(draw_concepts(asked, targets, 2).tolist()) == {1, 4}
        drawn = draw_concepts(asked, targets, 3).tolist()
        assert set(drawn) > {1, 4}
        assert len(set(drawn)) == 3
    assert sorted(draw_concepts(asked, targets, 9).tolist()) == asked.tolist()
