"""ARL: which words name an entity, which entities are linked, and what each step changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from encoders.batch import Statements, StudyBatch, Text
from experiments.systems import arl
from experiments.systems._entity_layers import EntityLayer, named
from experiments.systems.arl import ARL
from fusion.stage import Stage

Build = Callable[..., tuple[ARL, StudyBatch]]
JOINT = Stage(objectives={"classification": 1.0, **arl.PRETRAINING})


def test_words_between_first_and_last_name_the_entity() -> None:
    text = Text(
        words=torch.ones(1, 5, dtype=torch.long),
        tokens=None,
        mask=torch.tensor([[True, True, True, True, False]]),
        section=torch.ones(1, 5, dtype=torch.long),
        word=torch.tensor([[0, 1, 2, 3, -1]]),
    )
    column = lambda *values: torch.tensor([values])  # noqa: E731
    # a statement of words 1 to 2, one beyond the limit of the encoder, and padding
    stated = Statements(
        column(4, 7, -1), column(1.0, 1.0, 0.0), column(-1, -1, -1),
        column(0, -1, -1), column(1, -1, -1), column(2, -1, -1),
    )  # fmt: skip
    assert named(text, stated)[0].T.tolist() == [
        [False, True, True, False, False],
        [False] * 5,
        [False] * 5,
    ]


def test_entities_that_are_present_are_linked(build: Build) -> None:
    system, batch = build("arl")
    assert system.setting.supervised == ("ckg:f4",)
    place = system.setting.graph.index["ckg:f4"]
    concept = torch.tensor([[place, 0], [place, -1], [0, -1], [-1, -1]])
    assertion = torch.tensor([[1.0, 1.0], [-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert batch.statements is not None
    stated = replace(batch.statements, concept=concept, assertion=assertion)
    assert system._linked(stated).tolist() == [[1.0], [0.0], [0.0], [0.0]]


def test_an_entity_is_hidden_as_a_whole(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    system, batch = build("arl", options={"hidden_words": 0.5})
    seen: list[Tensor] = []

    def watched(words: Tensor, mask: Tensor, *rest: Any, **more: Any) -> tuple[Tensor, Tensor]:
        seen.append(mask)
        return words, mask

    monkeypatch.setattr(arl, "hide_words", watched)
    assert batch.paired_text is not None
    assert batch.statements is not None
    within = named(batch.paired_text, batch.statements)
    assert within.any()
    for _ in range(8):
        system.losses(batch, Stage(objectives={"hidden_words": 1.0}))
        chosen = seen.pop()
        assert not (chosen & ~batch.paired_text.mask).any()
        for study, entity in within.any(1).nonzero().tolist():
            assert len(set(chosen[study][within[study, :, entity]].tolist())) == 1


@torch.no_grad()
def test_an_entity_reaches_the_words_that_name_it(build: Build) -> None:
    torch.manual_seed(0)
    streams = torch.randn(1, 3, 8), torch.randn(1, 4, 8), torch.randn(1, 2, 8)
    masks = tuple(torch.ones(one.shape[:2], dtype=torch.bool) for one in streams)
    names = torch.tensor([[[False, False], [True, False], [True, False], [False, False]]])
    other = (*streams[:2], streams[2] + 1.0)
    layers = {
        adds: EntityLayer(8, heads=2, dropout=0.0, adds=adds).eval() for adds in (True, False)
    }
    assert len(layers[True].state_dict()) == len(layers[False].state_dict())
    for adds, layer in layers.items():
        one, two = (layer(each, masks, names)[1] for each in (streams, other))
        changed = (one - two).abs().amax(2)[0] > 1e-6
        assert changed.tolist() == ([False, True, True, False] if adds else [False] * 4)


@torch.no_grad()
def test_the_picture_alone_answers_for_any_concept_by_its_entity(build: Build) -> None:
    system, batch = build("arl")
    names = ("ckg:f0", "ckg:f5", "ckg:unheard_of")
    assert [system.basis(name) for name in names] == ["trained", "zero_shot", "not_possible"]
    logits = system.predict(batch, names).logits
    nodes = system.concept_reader()
    side = system.align_image(system.reader(batch).pooled)
    for column, name in enumerate(names[:2]):
        node = nodes[system.setting.graph.index[name]]
        expected = side @ node / 16**0.5 + system.entity_bias(node)
        torch.testing.assert_close(logits[:, column], expected)
    assert logits[:, 2].isnan().all()
    learned, _ = build("arl", options={"vectors": "learned"})
    assert learned.basis("ckg:f5") == "not_possible"


def test_the_text_is_read_at_test_only_where_it_is_an_input(build: Build) -> None:
    system, batch = build("arl, with text")
    assert batch.text is not None
    silent = replace(batch, text=batch.text.silenced(torch.ones(len(batch.ids), dtype=torch.bool)))
    with torch.no_grad():
        findings = system.setting.findings
        whole, less = (system.predict(one, findings).logits for one in (batch, silent))
        nothing = system.predict(replace(batch, text=None), findings).logits
    assert not torch.allclose(whole, less)
    torch.testing.assert_close(less, nothing)


def test_every_loss_of_one_stage_is_finite_and_reaches_the_entities(build: Build) -> None:
    system, batch = build("arl", options={"hidden_words": 0.5, "layers": 2})
    torch.manual_seed(0)  # of the words that are hidden
    for name in JOINT.objectives:
        system.zero_grad()
        (loss,) = system.train().losses(batch, Stage(objectives={name: 1.0})).values()
        loss.backward()
        assert loss.isfinite()
        grad = system.concept_reader.project.weight.grad
        assert grad is not None, name
        assert grad.abs().sum() > 0, name
