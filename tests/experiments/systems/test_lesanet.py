"""LesaNet: propagation, expansion and its other mechanisms, each on and off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from encoders.batch import StudyBatch
from experiments.systems.lesanet import LesaNet
from fusion.losses.balanced_bce import balanced_bce
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

SAID = (Evidence("a book", "curated", "asserted"),)
LABELS = ("lobe", "lung", "none", "mass")
NAN = float("nan")
PLAIN = Stage(objectives={"classification": 1.0, "propagated": 0.0})
"""A stage that trains the labels alone, and propagates nothing."""


def setting() -> Setting:
    graph = KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in LABELS),
        (Edge("lobe", "part_of", "lung", SAID),),
        (LabelSet("s", "lung", LABELS, LABELS, no_finding="none"),),
    )
    return Setting(graph, torch.zeros(4, 2), LABELS, image_width=6, image_tokens=16)


def studies() -> StudyBatch:
    generator = torch.Generator().manual_seed(3)
    kinds = torch.zeros(4, 2, dtype=torch.long)
    targets = [[1, 0, 0, NAN], [0, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 1]]
    return StudyBatch(
        ids=("a", "b", "c", "d"),
        pixels=None,
        image_tokens=torch.randn(4, 2, 16, 6, generator=generator),
        image_mask=torch.tensor([[True, True], [True, False], [True, True], [True, False]]),
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=torch.tensor(targets),
    )


def build(*stages: Stage, **options: Any) -> LesaNet:
    torch.manual_seed(0)
    sizes = {"roi": 2, "width": 32, "embedding": 8}
    return LesaNet(LesaNet.Options(**{**sizes, **options}), setting(), stages)


def test_propagation_starts_as_the_identity() -> None:
    on, off = build().eval(), build(PLAIN).eval()
    torch.testing.assert_close(on.logits(studies()), off.logits(studies()))
    assert torch.equal(on.propagate.weight, torch.eye(4))
    losses = on.losses(studies(), on.stages[0])
    torch.testing.assert_close(losses["classification"], losses["propagated"])


def test_a_positive_label_entails_what_it_is_part_of() -> None:
    targets = studies().targets
    expected = targets.clone()
    expected[0, 1] = 1.0
    torch.testing.assert_close(build().expanded(targets), expected, equal_nan=True)
    for off in (build(expansion=False), build(relations=("is_a",))):
        torch.testing.assert_close(off.expanded(targets), targets, equal_nan=True)


@torch.no_grad()
def test_what_is_entailed_is_at_least_as_likely() -> None:
    on, off = build().eval(), build(expansion=False).eval()
    off.load_state_dict(on.state_dict())
    for system in (on, off):
        system.score.bias.copy_(torch.tensor([5.0, -5.0, 0.0, 0.0]))
    likely, plain = on.logits(studies()), off.logits(studies())
    assert torch.equal(likely[:, 1], torch.maximum(plain[:, 0], plain[:, 1]))
    assert torch.equal(likely[:, [0, 2, 3]], plain[:, [0, 2, 3]])


def test_weights_are_of_the_expanded_training_labels() -> None:
    system = build()
    system.prepare([studies(), studies()])
    torch.testing.assert_close(system.share, torch.tensor([0.5, 0.75, 0.25, 2 / 3]))
    found = system.losses(studies(), system.stages[0])["classification"]
    features = system.reader(studies(), system.reader.maps(studies()), None)
    targets = system.expanded(studies().targets)
    expected = balanced_bce(system.score(features), targets, system.share)
    torch.testing.assert_close(found, expected)


def test_nothing_is_a_hard_example_without_a_positive() -> None:
    system, batch = build(), studies()
    silent = replace(batch, targets=torch.zeros(4, 4))
    stage = Stage(objectives={"hard_examples": 1.0, "triplets": 1.0})
    assert not any(loss.item() for loss in system.losses(silent, stage).values())
    assert all(loss.item() > 0 for loss in system.losses(batch, stage).values())
    assert system.exclusive[2].tolist() == [True, True, False, True]


@pytest.mark.parametrize("off", ["hard_examples", "triplets", "propagated"])
def test_a_loss_that_is_not_named_is_not_used(off: str) -> None:
    weights = {name: 1.0 for name in LesaNet.loss_names(LesaNet.Options()) if name != off}
    system = build(Stage(objectives=weights))
    assert set(system.losses(studies(), system.stages[0])) == set(weights)


@torch.no_grad()
def test_answers_are_propagated_only_where_that_is_trained() -> None:
    on, off = build(expansion=False).eval(), build(PLAIN, expansion=False).eval()
    for system in (on, off):
        system.propagate.bias.fill_(3.0)
    torch.testing.assert_close(on.logits(studies()), off.logits(studies()) + 3.0)


def test_it_asks_for_boxes_and_maps() -> None:
    options = LesaNet.Options(maps={"b0": "box", "b3": "picture"})
    assert LesaNet.needs(options, ()) == Needs(boxes=True, image_maps=("b0", "b3"))


@pytest.mark.parametrize("stages", [(), (PLAIN,)])
@pytest.mark.parametrize("expansion", [True, False])
def test_it_learns_four_studies_by_heart(stages: tuple[Stage, ...], expansion: bool) -> None:
    system, batch = build(*stages, expansion=expansion), studies()
    system.prepare([batch])
    optimiser = torch.optim.Adam(system.parameters(), 0.01)
    for _ in range(150):
        losses = system.losses(batch, system.stages[0])
        optimiser.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimiser.step()
    targets = system.expanded(batch.targets)
    stated = ~targets.isnan()
    answers = system.eval().logits(batch).sigmoid()
    assert ((answers > 0.5) == (targets == 1))[stated].all()


def test_maps_are_shares_of_the_pictures_that_are_there() -> None:
    system, batch = build().eval(), studies()
    with torch.no_grad():
        maps = system.localise(batch, ("mass", "nowhere", "none"))
    assert maps.shape == (4, 3, 2, 4, 4)
    assert maps[:, 1].isnan().all()
    there = maps[:, [0, 2]].transpose(1, 2)[batch.image_mask]
    assert (there >= 0).all()
    torch.testing.assert_close(there.sum((2, 3)), torch.ones(6, 2))
    assert maps[:, 0][~batch.image_mask].isnan().all()
    assert all(parameter.grad is None for parameter in system.parameters())
    boxed = replace(batch, boxes=torch.full((4, 2, 4), 0.25))
    torch.testing.assert_close(system.localise(boxed, ("mass",))[:, 0], maps[:, 0], equal_nan=True)


@torch.no_grad()
def test_a_map_is_where_the_finding_is_read() -> None:
    system, batch = build(PLAIN).eval(), studies()
    system.reader.lines[0].weight.zero_()
    system.reader.lines[0].bias.zero_()
    system.reader.view.weight.zero_()
    system.reader.lines[0].weight[0, :4] = 1.0  # the first channel, in every cell
    system.score.weight.zero_()
    system.score.weight[3, 0] = 1.0
    tokens = torch.zeros(4, 2, 16, 6)
    tokens[:, :, 5, 0] = 1.0
    maps = system.localise(replace(batch, image_tokens=tokens), ("mass",))
    expected = torch.zeros(16)
    expected[5] = 1.0
    torch.testing.assert_close(maps[0, 0, 0].flatten(), expected)


def test_a_batch_without_pictures_gets_the_bias() -> None:
    system = build(expansion=False).eval()
    empty = replace(studies(), image_mask=torch.zeros(4, 2, dtype=torch.bool))
    torch.testing.assert_close(system.logits(empty), system.score.bias.expand(4, -1))
    assert system.localise(empty, LABELS).isnan().all()


def test_a_shuffled_ontology_has_the_parameters_and_pairs_of_the_true_one() -> None:
    first, second = build(), build(ontology="shuffled")
    shapes = [[one.shape for one in each.parameters()] for each in (first, second)]
    assert shapes[0] == shapes[1]
    assert first.entails.sum() == second.entails.sum()
    assert first.exclusive.sum() == second.exclusive.sum()
