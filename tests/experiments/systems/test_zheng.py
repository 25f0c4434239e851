"""Zheng 2021: its blocks by hand, the gate over modalities, and the arms of its graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.batch import StudyBatch
from experiments.systems.zheng import ConvolutionAttention, Look, Zheng, strangers_of_a_class
from fusion.system import Setting
from kg.controls.graph_controls import emptied, shuffled
from kg.errors import InputError
from tests.experiments.systems.conftest import make_batch, make_setting

NEEDS = Zheng.needs(Zheng.Options(), ())


def made(setting: Setting | None = None, **options: Any) -> Zheng:
    torch.manual_seed(0)
    sizes = {"width": 16, "entities": 4, **options}
    return Zheng(Zheng.Options(**sizes), setting or make_setting(NEEDS)).eval()


@pytest.fixture
def batch() -> StudyBatch:
    return make_batch(make_setting(NEEDS), NEEDS)


def test_a_look_is_a_softmax_of_dot_products() -> None:
    look = Look(1, 2)
    with torch.no_grad():
        look.query.weight.copy_(torch.tensor([[1.0], [0.0]]))
        look.query.bias.zero_()
    tokens = torch.tensor([[[2.0**0.5, 1.0], [0.0, 3.0], [9.0, 9.0]]])
    seen, shares = look(torch.ones(1, 1), tokens, torch.tensor([[True, True, False]]))
    share = torch.e / (torch.e + 1)
    assert shares[0].tolist() == pytest.approx([share, 1 - share, 0.0])
    assert seen[0].tolist() == pytest.approx([share * 2**0.5, share + 3 * (1 - share)])
    nothing, _ = look(torch.ones(1, 1), tokens, torch.zeros(1, 3, dtype=torch.bool))
    assert nothing.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("dilation", [1, 2])
def test_a_block_is_convolution_then_attention_then_their_sum(dilation: int) -> None:
    torch.manual_seed(1)
    block = ConvolutionAttention(4, dilation)
    tokens = torch.randn(1, 5, 4)
    kernel, bias = block.convolution.weight, block.convolution.bias
    rows = []
    for place in range(5):
        total = bias.clone()
        for tap, step in enumerate((-dilation, 0, dilation)):
            if 0 <= place + step < 5:
                total = total + kernel[:, :, tap] @ tokens[0, place + step]
        rows.append(F.layer_norm(total, (4,)).relu())
    read = torch.stack(rows)
    scores = (read @ block.query.weight.T) @ (read @ block.key.weight.T).T / 2.0
    attended = scores.softmax(1) @ (read @ block.value.weight.T)
    wanted = F.layer_norm(tokens[0] + read + attended, (4,))
    torch.testing.assert_close(block(tokens, torch.ones(1, 5, dtype=torch.bool))[0], wanted)


def test_what_is_masked_changes_nothing_in_a_block() -> None:
    block = ConvolutionAttention(4, 2)
    tokens, mask = torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool)
    mask[0, 4:] = False
    other = tokens.clone()
    other[0, 4:] = 7.0
    torch.testing.assert_close(block(tokens, mask), block(other, mask))
    torch.testing.assert_close(block(tokens, mask)[:1, :4], block(tokens[:1, :4], mask[:1, :4]))


@torch.no_grad()
def test_the_gate_shares_what_is_there_among_its_modalities(batch: StudyBatch) -> None:
    system = made()
    kinds = batch.modality.clone()
    kinds[:, 1] = 2  # the second picture of a study is an ultrasound
    both = replace(batch, modality=kinds, image_mask=torch.ones_like(batch.image_mask))
    one = replace(both, image_mask=torch.tensor([[True, False]]).expand_as(both.image_mask))
    asks = torch.zeros(len(batch.ids), 16)

    def gated(studies: StudyBatch) -> Tensor:
        image, _ = system._sides(studies)
        return system._gated(studies, image, asks)

    image, _ = system._sides(one)
    alone, _ = system.words_look(asks, image.tokens, image.mask)
    torch.testing.assert_close(gated(one), alone)  # the only modality has the whole weight
    image, _ = system._sides(both)
    parts = [
        system.words_look(asks, image.tokens, image.mask & (torch.arange(32) // 16 == place))[0]
        for place in range(2)
    ]
    shares = torch.cat([system.gate(part) for part in parts], 1).softmax(1)
    wanted = shares[:, :1] * parts[0] + shares[:, 1:] * parts[1]
    torch.testing.assert_close(gated(both), wanted)


def test_all_arms_of_the_graph_have_the_same_parameters() -> None:
    whole = make_setting(NEEDS)
    generator, rng = torch.Generator().manual_seed(5), np.random.default_rng(1)
    arms = {
        "graph": made(whole),
        "names only": made(replace(whole, graph=emptied(whole.graph))),
        "shuffled": made(replace(whole, graph=shuffled(whole.graph, rng).graph)),
        "random": made(replace(whole, concept_vectors=torch.randn(6, 8, generator=generator))),
        "no messages": made(whole, messages=False),
        "none": made(whole, knowledge=False),
    }
    shapes = {
        name: [(key, value.shape) for key, value in arm.named_parameters()]
        for name, arm in arms.items()
    }
    assert all(shape == shapes["graph"] for shape in shapes.values())


@torch.no_grad()
def test_knowledge_comes_from_the_graph_and_from_what_the_text_states(batch: StudyBatch) -> None:
    whole = make_setting(NEEDS)
    stated = torch.zeros_like(batch.evidence) if batch.evidence is not None else None
    assert stated is not None
    stated[:, 5] = 1.0  # no neighbour of a finding
    silent = replace(batch, evidence=torch.zeros_like(stated))
    telling = replace(batch, evidence=stated)
    system, closed = made(whole), made(whole, knowledge=False)
    assert not torch.allclose(system.logits(silent), system.logits(telling))
    torch.testing.assert_close(closed.logits(silent), closed.logits(telling))
    without = made(replace(whole, graph=emptied(whole.graph)))
    assert not torch.allclose(system.logits(telling), without.logits(telling))
    # without edges only the findings themselves and the stated concept are looked at
    named = without.evidence(telling, whole.findings)
    assert {line.partition(" ")[0] for line in named[0][0]} == {
        "mass",
        "nodule",
        "effusion",
        "clear",
    }
    assert named[0][0] == named[0][-1]
    assert closed.evidence(telling, whole.findings)[0][0] == []


def test_losses_are_those_of_the_stage(batch: StudyBatch) -> None:
    system = made()
    (stage,) = system.stages
    losses = system.losses(batch, stage)
    each = F.binary_cross_entropy_with_logits(
        system.logits(batch), batch.targets.nan_to_num(), reduction="none"
    )
    each = each.masked_fill(batch.targets.isnan(), 0.0)  # an unstated label counts as no error
    torch.testing.assert_close(losses["classification"], each.mean())
    assert set(losses) == {"classification", "link_prediction"}
    alone = stage.model_copy(update={"objectives": {"classification": 1.0}})
    assert set(system.losses(batch, alone)) == {"classification"}


def test_partners_of_the_same_class_are_strangers_in_training_alone(batch: StudyBatch) -> None:
    assert batch.text is not None
    assert batch.evidence is not None
    batch = replace(
        batch,
        targets=torch.tensor([[1.0, 0.0, 0.0]] * 2 + [[0.0, 1.0, 0.0]] * 2),
        evidence=torch.arange(4.0)[:, None].expand_as(batch.evidence),
    )
    torch.manual_seed(0)
    drawn = [strangers_of_a_class(batch).evidence for _ in range(20)]
    orders = {tuple(one[:, 0].int().tolist()) for one in drawn if one is not None}
    assert orders == {(0, 1, 2, 3), (1, 0, 2, 3), (0, 1, 3, 2), (1, 0, 3, 2)}
    paired = made(pairing="class")
    torch.testing.assert_close(paired.logits(batch), made().logits(batch))
    silent = replace(batch, text=None, evidence=None)
    assert strangers_of_a_class(silent).text is None


def test_without_pictures_and_text_it_is_refused() -> None:
    setting = replace(make_setting(NEEDS), image_width=0, text_width=0)
    with pytest.raises(InputError, match="needs images or text"):
        made(setting)


def test_either_side_alone_is_enough(batch: StudyBatch) -> None:
    whole = make_setting(NEEDS)
    text_only = made(replace(whole, image_width=0))
    image_only = made(replace(whole, text_width=0, text_encoder=None))
    for system in (text_only, image_only):
        assert system.logits(batch).isfinite().all()
        assert torch.stack(list(system.losses(batch, system.stages[0]).values())).isfinite().all()
