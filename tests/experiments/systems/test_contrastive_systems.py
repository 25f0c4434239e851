"""GLoRIA, MGCA and CheXzero: what each does that other dual encoders do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from encoders.batch import StudyBatch
from encoders.text import TEXT_SECTIONS
from experiments.systems.chexzero import CheXzero
from experiments.systems.gloria import GLoRIA
from experiments.systems.mgca import MGCA
from fusion.layers.dual import DualEncoder
from fusion.layers.word_region import word_region_scores
from fusion.system import System
from tests.experiments.systems.conftest import FINDINGS

Build = Callable[..., tuple[System, StudyBatch]]


def test_a_learned_scale_starts_at_the_temperature_and_stays_in_its_limits(build: Build) -> None:
    system, _ = build("chexzero", options={"temperature": 0.05})
    assert isinstance(system, DualEncoder)
    assert float(system.scale) == pytest.approx(20.0)
    assert system.log_scale is not None
    for wrong, right in ((7.0, 100.0), (-3.0, 1.0)):
        with torch.no_grad():
            system.log_scale.fill_(wrong)
        system.after_step()
        assert float(system.scale) == pytest.approx(right)
    fixed, _ = build("convirt")
    assert isinstance(fixed, DualEncoder)
    assert fixed.scale == 10.0


@torch.no_grad()
def test_chexzero_asks_in_impressions_and_may_leave_out_the_scale(build: Build) -> None:
    scaled, batch = build("chexzero")
    plain, _ = build("chexzero", options={"scaled_answers": False})
    assert isinstance(scaled, CheXzero)
    sections: list[Any] = []
    assert scaled.text_tower is not None
    scaled.text_tower.register_forward_pre_hook(lambda _, given: sections.append(given[0].section))
    answers = scaled.predict(batch, FINDINGS).logits
    assert set(sections[0].unique().tolist()) - {0} == {TEXT_SECTIONS.index("impression")}
    torch.testing.assert_close(plain.predict(batch, FINDINGS).logits * scaled.scale, answers)


@torch.no_grad()
def test_no_finding_is_not_denied_twice(build: Build) -> None:
    system, batch = build("chexzero")
    assert isinstance(system, CheXzero)
    graph = system.setting.graph
    concepts = [
        replace(one, label="No finding") if one.id == FINDINGS[0] else one for one in graph.concepts
    ]
    system.setting = replace(system.setting, graph=replace(graph, concepts=tuple(concepts)))
    asked: list[str] = []
    encoder: Any = system.setting.text_encoder
    tokenize = encoder.tokenize

    def spy(texts: Any) -> Any:
        asked.extend(passages[0].text for passages in texts)
        return tokenize(texts)

    encoder.tokenize = spy
    system.predict(batch, FINDINGS[:2])
    assert asked == ["No finding", "nodule", "finding", "no nodule"]


@torch.no_grad()
@pytest.mark.parametrize("pool", ["sum", "max"])
def test_gloria_answers_by_wholes_and_by_words(build: Build, pool: str) -> None:
    system, batch = build("gloria", options={"word_pool": pool, "local_temperature": 0.5})
    assert isinstance(system, GLoRIA)
    mask = batch.image_mask.clone()
    mask[1] = False
    pairs = system.read_pairs(replace(batch, image_mask=mask))
    scores = system.similarity(pairs.image, pairs.text)
    regions = system.region_projection(pairs.image.tokens)
    local = word_region_scores(
        pairs.text.tokens,
        regions,
        (pairs.text.mask, pairs.image.mask),
        pool=pool,  # type: ignore[arg-type]
    )
    both = (pairs.image_vectors @ pairs.text_vectors.T * 10 + local / 0.5) / 2
    rows = [0, 2, 3]
    torch.testing.assert_close(scores[rows], both[rows])
    assert not scores[1].any()


@torch.no_grad()
def test_mgca_leaves_padding_out_of_the_batch_statistics(build: Build) -> None:
    system, batch = build("mgca")
    assert isinstance(system, MGCA)
    pairs = system.read_pairs(batch)
    system.region_projection.train()
    system.word_projection.train()
    loss = system.between(pairs, batch)["tokens"]()
    noise = torch.where(pairs.image.mask[..., None], pairs.image.tokens, torch.tensor(9.0))
    padded = replace(pairs, image=replace(pairs.image, tokens=noise))
    torch.testing.assert_close(system.between(padded, batch)["tokens"](), loss)


@torch.no_grad()
def test_mgca_predicts_prototypes_of_unit_length(build: Build) -> None:
    system, batch = build("mgca")
    assert isinstance(system, MGCA)
    pairs = system.read_pairs(batch)
    loss = system.swapped_prototypes(pairs)
    system.prototypes.mul_(3.0)
    torch.testing.assert_close(system.swapped_prototypes(pairs), loss)
    assert 0 < float(loss) < 2 * math.log(len(system.prototypes))
    first = system.stages[0]
    assert not "prototypes".startswith(first.trains)
