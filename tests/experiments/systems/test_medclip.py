"""MedCLIP: labels of statements, worked out by hand, and whom they make partners."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from encoders.batch import Statements, StudyBatch
from experiments.systems.medclip import MedCLIP
from fusion.system import Setting, System
from kg.model.graph import LabelSet
from tests.experiments.systems.conftest import CASES, FINDINGS, NAMES, make_setting, needs_of

Build = Callable[..., tuple[System, StudyBatch]]


def statements(*rows: list[tuple[int, float, int]]) -> Statements:
    """Statements by concept, assertion and sentence; the graph has f1 is a kind of f0."""
    most = max(map(len, rows))
    filled = torch.tensor([[*row, *[(-1, 0.0, -1)] * (most - len(row))] for row in rows])
    concept, assertion, sentence = filled.unbind(-1)
    nothing = torch.zeros_like(concept).long()
    return Statements(concept.long(), assertion, nothing - 1, sentence.long(), nothing, nothing + 1)


def setting_with(no_finding: str | None) -> Setting:
    setting = make_setting(needs_of(CASES["medclip"]))
    sets = (
        (LabelSet("small", "small", FINDINGS, FINDINGS, no_finding=no_finding),)
        if no_finding
        else ()
    )
    return replace(setting, graph=replace(setting.graph, label_sets=sets))


def system_with(no_finding: str | None = None, **options: Any) -> MedCLIP:
    return MedCLIP(MedCLIP.Options(width=16, space=16, **options), setting_with(no_finding))


def test_the_narrower_is_present_for_the_wider_and_the_wider_absent_for_the_narrower() -> None:
    stated = statements(
        [(1, 1.0, 0)],
        [(0, -1.0, 0)],
        [(0, 1.0, 0), (1, -1.0, 0)],
        [(2, 0.5, 0)],
        [(2, 1.0, 0), (2, -1.0, 1)],
    )
    labels = system_with().stated(stated, stated.mask)
    expected = [[1, 1, 0], [-1, -1, 0], [1, -1, 0], [0, 0, 0], [0, 0, 1]]
    assert labels.tolist() == expected
    second = system_with().stated(stated, stated.sentence == 1)
    assert second.tolist() == [[0, 0, 0]] * 4 + [[0, 0, -1]]


@pytest.mark.parametrize(
    ("rows", "normal"),
    [
        ([(0, -1.0, 0)], 1),
        ([(0, -1.0, 0), (4, 1.0, 0)], -1),
        ([(5, 0.5, 0)], -1),
        ([(-1, 0.0, -1)], 0),
    ],
)
def test_no_finding_is_where_something_is_denied_and_nothing_found(
    rows: list[tuple[int, float, int]], normal: int
) -> None:
    stated = statements(rows)
    labels = system_with(no_finding=FINDINGS[2]).stated(stated, stated.mask)
    assert int(labels[0, 2]) == normal


def test_targets_are_labels_of_pictures_where_chosen(build: Build) -> None:
    system, batch = build("medclip", options={"image_labels": "targets"})
    assert isinstance(system, MedCLIP)
    pairs = system.read_pairs(batch)
    assert float(system.soft_contrast(pairs, batch)) > 0
    nothing = replace(batch, targets=torch.full_like(batch.targets, float("nan")))
    assert float(system.soft_contrast(pairs, nothing)) == 0.0


@pytest.mark.parametrize("agreement", ["cosine", "product"])
def test_the_target_is_the_softmax_of_agreement(build: Build, agreement: str) -> None:
    """Two pictures and sentences, f0 present and f0 and f1 absent: agreement -1 / sqrt(2) or -1."""
    system, batch = build("medclip", studies=2, options={"agreement": agreement})
    assert isinstance(system, MedCLIP)
    stated = statements([(0, 1.0, 0), (0, 1.0, 1)], [(0, -1.0, 0), (0, -1.0, 1)])
    pairs = system.read_pairs(batch)
    alike = torch.nn.functional.normalize(torch.ones(2, 16), dim=-1)
    pairs = replace(pairs, image_vectors=alike, text_vectors=alike)
    loss = system.soft_contrast(pairs, replace(batch, statements=stated))
    assert float(loss) == pytest.approx(math.log(2), abs=1e-5)
    apart = torch.zeros(2, 16)
    apart[0, 0], apart[1, 1] = 1.0, 1.0
    other = 1 / math.sqrt(2) if agreement == "cosine" else 1.0
    own = (1.0, 1.0) if agreement == "cosine" else (1.0, 2.0)
    scale = float(system.scale)
    expected = 0.0
    for one in own:
        share = math.exp(one) / (math.exp(one) + math.exp(-other))
        expected += (math.log(math.exp(scale) + 1) - share * scale) / 2
    pairs = replace(pairs, image_vectors=apart, text_vectors=apart)
    loss = system.soft_contrast(pairs, replace(batch, statements=stated))
    assert float(loss) == pytest.approx(expected, abs=1e-4)


def test_concepts_that_are_supervised_may_be_the_labels() -> None:
    system = system_with(labels="concepts")
    stated = statements([(NAMES.index("ckg:f4"), 1.0, 0)])
    assert system.stated(stated, stated.mask).tolist() == [[1.0]]
