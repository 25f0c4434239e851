"""Jacenkow: its weighted loss by hand, and a BERT of the text encoder as its stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from transformers import BertConfig, BertModel

from encoders.batch import StudyBatch
from experiments.systems.jacenkow import Jacenkow
from fusion.system import System

Build = Callable[..., tuple[System, StudyBatch]]


def test_rare_findings_count_more_by_hand(build: Build) -> None:
    """Shares 0.5, 0.2 and 0.3 of the training studies: weights 0.5, 0.8 and 0.7."""
    system, _ = build("jacenkow")
    assert isinstance(system, Jacenkow)
    logits = torch.tensor([[0.0, 2.0, -1.0], [1.0, 0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, float("nan"), 1.0]])
    near = math.log(2)
    expected = 0.5 * near
    expected += 0.8 * math.log(1 + math.exp(2))
    expected += 0.7 * math.log(1 + math.exp(1))
    expected += 0.5 * math.log(1 + math.exp(1))
    expected += 0.7 * near
    found = float(system.classification(logits, targets))
    assert found == pytest.approx(expected / 5, abs=1e-6)


@torch.no_grad()
def test_it_reads_the_text_allowed_and_not_the_paired(build: Build) -> None:
    system, batch = build("jacenkow")
    assert isinstance(system, Jacenkow)
    assert batch.text is not None
    read = system.logits(batch)
    other = replace(batch.text, words=batch.text.words.flip(0), word=batch.text.word.flip(0))
    assert not torch.allclose(read, system.logits(replace(batch, text=other)))
    torch.testing.assert_close(read, system.logits(replace(batch, paired_text=other)))
    empty = replace(batch.text, mask=torch.zeros_like(batch.text.mask))
    nothing = system.logits(replace(batch, text=empty))
    torch.testing.assert_close(nothing, system.logits(replace(batch, text=None)))


def test_the_bert_of_the_text_encoder_is_the_stream_and_trains(build: Build) -> None:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
            self.model = BertModel(BertConfig(vocab_size=40, num_hidden_layers=1, **sizes))
            self.model.pooler = None

    encoder = Encoder()
    system, batch = build("jacenkow", lacks={"text_encoder": encoder})
    (stage,) = system.stages
    system.losses(batch, stage)["classification"].backward()
    reached = [one.grad is not None for one in encoder.model.parameters()]
    assert all(reached)
