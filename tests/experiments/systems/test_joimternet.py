"""JoImTeRNet: its losses by hand, hidden words, and what its heads read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch
from experiments.systems.joimternet import JoImTeRNet
from fusion.layers.dual import Pairs
from fusion.layers.word_region import word_region_scores
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]


def built(build: Build, name: str = "joimternet", **options: Any) -> tuple[JoImTeRNet, StudyBatch]:
    system, batch = build(name, options=options)
    assert isinstance(system, JoImTeRNet)
    return system, batch


def pairs_of(system: JoImTeRNet) -> Pairs:
    """Three pairs of two regions and two words each."""
    generator = torch.Generator().manual_seed(1)
    width = system.options.width
    image, text = (torch.randn(3, 2, width, generator=generator) for _ in range(2))
    there = torch.ones(3, 2).bool()
    vectors = [F.normalize(torch.randn(3, 4, generator=generator), dim=-1) for _ in range(2)]
    same = torch.tensor([[0, 7], [1, 8], [2, 9]])
    sides = [Features(each, there, each.mean(1)) for each in (image, text)]
    return Pairs(sides[0], sides[1], vectors[0], vectors[1], same)


def both_ways(scores: Tensor) -> float:
    """Cross-entropies of both directions, one number after the other, and their mean."""
    found = 0.0
    for near in (scores.tolist(), scores.T.tolist()):
        for place, row in enumerate(near):
            found += math.log(sum(math.exp(each) for each in row)) - row[place]
    return found / (2 * len(scores))


def triplets(scores: Tensor, margin: float) -> float:
    found, size = 0.0, len(scores)
    for near in (scores.tolist(), scores.T.tolist()):
        for i in range(size):
            for k in set(range(size)) - {i}:
                found += max(near[i][k] - near[i][i] + margin, 0.0)
    return found / (size * (size - 1))


@pytest.mark.parametrize("summed", [False, True])
def test_pairs_are_scored_as_wholes_and_by_word_and_region(build: Build, summed: bool) -> None:
    system, batch = built(build, summed_words=summed, margin=0.4)
    pairs = pairs_of(system)
    with torch.no_grad():
        made = {name: float(give()) for name, give in system.between(pairs, batch).items()}
        whole = pairs.image_vectors @ pairs.text_vectors.T
        local = word_region_scores(
            system.word_projection(pairs.text.tokens),
            system.region_projection(pairs.image.tokens),
            (pairs.text.mask, pairs.image.mask),
        )
    local = local * 5 if summed else local
    assert made["contrast"] == pytest.approx(both_ways(whole * 10), abs=1e-5)
    assert made["local_contrast"] == pytest.approx(both_ways(local * 10), abs=1e-4)
    assert made["triplets"] == pytest.approx(triplets(whole, 0.4), abs=1e-5)
    assert made["local_triplets"] == pytest.approx(triplets(local, 0.4), abs=1e-5)


def test_weights_are_the_chances_of_the_tasks() -> None:
    """Matching 0.3 (sums of two directions, triplets twice), words 0.7."""
    (stage,) = JoImTeRNet.default_stages(JoImTeRNet.Options())
    assert stage.objectives["hidden_words"] == pytest.approx(0.7)
    assert {weight for name, weight in stage.objectives.items() if name != "hidden_words"} == {0.6}


def test_hidden_words_are_read_hidden_and_told_as_they_were(build: Build) -> None:
    system, batch = built(build, hidden_words=1.0)
    text, book = batch.paired_text, system.setting.vocabulary
    assert text is not None
    assert text.words is not None
    assert book is not None
    read: list[Tensor] = []
    tower = system.text_tower
    assert tower is not None
    tower.register_forward_pre_hook(lambda _, given: read.append(given[0].words))
    told: list[Tensor] = []
    system.tell.register_forward_pre_hook(lambda _, given: told.append(given[0]))
    torch.manual_seed(0)
    loss = system.told(text)
    (shown,) = read
    real = int(text.mask.sum())
    assert told[0].shape[0] == real
    hidden = (shown == book.mask).sum() / real
    assert 0.6 < float(hidden) < 1.0
    logits = system.tell(told[0])
    expected = F.cross_entropy(logits, text.words[text.mask])
    torch.testing.assert_close(loss, expected)


def test_a_report_without_words_hides_none(build: Build) -> None:
    system, batch = built(build)
    assert batch.paired_text is not None
    none = torch.zeros_like(batch.paired_text.mask)
    assert float(system.told(replace(batch.paired_text, mask=none))) == 0.0


def test_the_image_head_reads_no_text(build: Build) -> None:
    system, batch = built(build, "joimternet, fine-tuned")
    findings = system.setting.findings
    alone = system.predict(replace(batch, text=None), findings).logits
    torch.testing.assert_close(system.predict(batch, findings).logits, alone)


def test_the_head_of_both_reads_the_text_allowed_and_not_the_paired(build: Build) -> None:
    system, batch = built(build, "joimternet, with text")
    findings = system.setting.findings
    whole = system.predict(batch, findings).logits
    other = system.predict(replace(batch, paired_text=None), findings).logits
    torch.testing.assert_close(whole, other)
    assert batch.text is not None
    alone = system.predict(replace(batch, text=None), findings).logits
    assert not torch.allclose(whole, alone)
    empty = replace(batch.text, mask=torch.zeros_like(batch.text.mask))
    nothing = system.predict(replace(batch, text=empty), findings).logits
    torch.testing.assert_close(nothing, alone)


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("joimternet", {"vocabulary": None}),
        ("joimternet", {"text_encoder": None}),
        ("joimternet, with text", {"text_width": 0, "text_encoder": None}),
    ],
)
def test_it_is_refused_without_words(build: Build, name: str, lacks: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        build(name, lacks=lacks)
    assert caught.value.hint
