"""Objectives against numbers worked out by hand, and what must never count."""

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
from encoders.graph_arrays import graph_tensors
from fusion.classifier import KnowledgeClassifier
from fusion.objectives import OBJECTIVES, Forward
from fusion.system import Setting
from kg.options import parse_options

each_objective = pytest.mark.parametrize("name", OBJECTIVES.names())
NAN = float("nan")


def build(name: str, setting: Setting, width: int = 16, **options: Any) -> Any:
    part = OBJECTIVES.load(name)
    torch.manual_seed(0)
    return part(parse_options(part.Options, options, where=name), setting=setting, width=width)


def features(pooled: Tensor, there: Tensor | None = None) -> Features:
    mask = torch.ones(len(pooled), 1).bool() if there is None else there[:, None]
    return Features(pooled[:, None], mask, pooled)


def made(logits: Tensor, concepts: Tensor | None = None, **fields: Any) -> Forward:
    studies = len(logits)
    empty = features(torch.zeros(studies, 2), torch.zeros(studies).bool())
    given = torch.zeros(studies, 0) if concepts is None else concepts
    return Forward(
        logits, given, **{"nodes": torch.zeros(1), "image": empty, "text": empty, **fields}
    )


def labelled(batch: StudyBatch, targets: list[list[float]]) -> StudyBatch:
    return replace(batch, targets=torch.tensor(targets))


def test_cross_entropy_by_hand(setting: Setting, batch: StudyBatch) -> None:
    two = replace(setting, findings=setting.findings[:2])
    objective = build("classification", two)
    given = labelled(batch, [[1.0, NAN], [0.0, 1.0]])
    loss = objective(made(torch.tensor([[0.0, 50.0], [math.log(3), math.log(3)]])), given)
    # stated: log 2, log(1 + 3), log(4 / 3); four labels in the batch
    expected = (math.log(2) + math.log(4) + math.log(4 / 3)) / 4
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_positives_weigh_as_the_training_studies_say(setting: Setting, batch: StudyBatch) -> None:
    one = replace(setting, findings=setting.findings[:1], prevalence=(0.2,))
    given = labelled(batch, [[1.0], [0.0]])
    loss = build("classification", one, balance=1.0)(made(torch.zeros(2, 1)), given)
    assert float(loss) == pytest.approx((4 * math.log(2) + math.log(2)) / 2, abs=1e-6)


def test_an_exclusive_set_is_one_choice(setting: Setting, batch: StudyBatch) -> None:
    three = replace(setting, findings=setting.findings[:3], exclusive=True)
    objective = build("classification", three)
    logits = torch.tensor([[0.0, 0.0, math.log(2)], [9.0, 9.0, 9.0]])
    given = labelled(batch, [[0.0, 0.0, 1.0], [NAN, NAN, NAN]])
    assert float(objective(made(logits), given)) == pytest.approx(math.log(2) / 2, abs=1e-6)
    # softmax looks across the findings of the set, and nowhere else
    higher = objective(made(logits + 7.0), given)
    assert float(higher) == pytest.approx(math.log(2) / 2, abs=1e-5)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_what_is_not_stated_never_counts(
    setting: Setting, batch: StudyBatch, exclusive: bool, smoothing: float
) -> None:
    two = replace(setting, findings=setting.findings[:2], exclusive=exclusive)
    objective = build("classification", two, smoothing=smoothing)
    given = labelled(batch, [[1.0, 0.0], [NAN, NAN], [NAN, NAN]])
    results = []
    for value in (0.0, 30.0):
        logits = torch.tensor([[0.3, -0.2], [value, -value], [value, value]], requires_grad=True)
        loss = objective(made(logits), given)
        loss.backward()
        assert logits.grad is not None
        results.append((loss.detach(), logits.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert not results[0][1][1:].any()


def test_concepts_of_the_report_by_hand(setting: Setting, batch: StudyBatch) -> None:
    objective = build("concept_supervision", setting)
    index = setting.graph.index
    targets = torch.full((2, len(index)), 1.0)
    places = [index[concept] for concept in setting.supervised]
    targets[0, places] = torch.tensor([1.0, 0.0, NAN])
    targets[1, places] = NAN
    given = replace(batch, concept_targets=targets)
    logits = torch.tensor([[0.0, math.log(3), 40.0], [40.0, -40.0, 40.0]], requires_grad=True)
    loss = objective(made(torch.zeros(2, 5), logits), given)
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 6, abs=1e-6)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[1].any()
    nobody = objective(made(torch.zeros(2, 5), logits), replace(batch, concept_targets=None))
    assert nobody.item() == 0.0


def test_findings_are_ranked_as_reports_say_over_the_edges(
    setting: Setting, batch: StudyBatch
) -> None:
    """Two of four reports state a concept that one edge joins with finding 0; no label is read."""
    joined = next(e for e in setting.graph.edges if e.relation == "co_occurs_with")
    one = replace(setting, findings=(joined.subject,))
    stated = torch.zeros(4, len(setting.graph.concepts))
    stated[[0, 2], setting.graph.index[joined.object]] = 1.0
    stated[3, setting.graph.index[joined.object]] = NAN
    four = replace(batch, concept_targets=stated, targets=torch.full((4, 1), NAN))

    def loss(logits: list[float], **options: Any) -> float:
        objective = build("propagated_targets", one, **options)
        return float(objective(made(torch.tensor(logits)[:, None]), four))

    assert loss([2.0, 0.0, 2.0, 0.0]) == pytest.approx(0.0, abs=1e-6)
    assert loss([-5.0, 1.0, -5.0, 1.0]) == pytest.approx(2.0, abs=1e-6)
    # order and logits, less their means: (1, -1, 1, -1) and (1, 1, -1, -1)
    assert loss([1.0, 1.0, 0.0, 0.0]) == pytest.approx(1.0, abs=1e-6)
    # without edges the reports say nothing of the finding itself
    assert loss([2.0, 0.0, 2.0, 0.0], steps=0) == 0.0


def test_propagated_targets_train_no_weight_of_an_edge(setting: Setting, batch: StudyBatch) -> None:
    objective = build("propagated_targets", setting)
    logits = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    objective(made(logits), batch).backward()
    assert logits.grad is not None
    assert logits.grad.any()
    assert not any(parameter.requires_grad for parameter in objective.parameters())


def test_a_narrower_finding_must_not_be_likelier(setting: Setting, batch: StudyBatch) -> None:
    """Findings 1 and 2 are kinds of 0; 3 is filed under 0 by a convention that is not ours."""
    objective = build("hierarchy", setting)
    logits = torch.logit(torch.tensor([[0.5, 0.8, 0.4, 0.9, 0.1]]))
    loss = objective(made(logits, torch.logit(torch.tensor([[0.9, 0.95, 0.9]]))), batch)
    assert float(loss) == pytest.approx((0.3 + 0.0) / 2, abs=1e-6)
    filed = build("hierarchy", setting, label_set="a set")
    loss = filed(made(logits, torch.zeros(1, 3)), batch)
    assert float(loss) == pytest.approx((0.3 + 0.0 + 0.4) / 3, abs=1e-6)


def test_hierarchy_of_an_exclusive_set_judges_what_is_answered(
    setting: Setting, batch: StudyBatch
) -> None:
    three = replace(setting, findings=setting.findings[:3], exclusive=True, supervised=())
    loss = build("hierarchy", three)(made(torch.log(torch.tensor([[0.2, 0.5, 0.3]]))), batch)
    assert float(loss) == pytest.approx((0.3 + 0.1) / 2, abs=1e-6)


def contrast(setting: Setting, temperature: float) -> Any:
    objective = build("contrast", setting, width=2, temperature=temperature)
    for layer in (objective.image, objective.text):
        layer.weight.data = torch.eye(2)
        layer.bias.data.zero_()
    return objective


def test_three_pairs_by_hand(setting: Setting, batch: StudyBatch) -> None:
    pictures = features(torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))
    reports = features(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 5.0]]))
    loss = contrast(setting, 0.5)(made(torch.zeros(3, 1), image=pictures, paired=reports), batch)
    near = [[2.0, 0.0, 0.0], [0.0, 2.0, 2.0], [-2.0, 0.0, 0.0]]  # cosines over temperature
    total = 0.0
    for place in range(3):
        row = near[place]
        column = [other[place] for other in near]
        for line in (row, column):
            total += math.log(sum(map(math.exp, line))) - line[place]
    assert float(loss) == pytest.approx(total / 6, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_contrast_is_what_it_was_before_it_shared_its_loss(
    setting: Setting, batch: StudyBatch, seed: int
) -> None:
    """To the last bit, so that runs of before can be made again."""
    generator = torch.Generator().manual_seed(seed)
    pictures, reports = torch.randn(2, 9, 2, generator=generator)
    both = torch.rand(9, generator=generator) < 0.8
    objective = contrast(setting, 0.07)
    sides = {"image": features(pictures, both), "paired": features(reports)}
    image, text = (F.normalize(side, dim=-1) for side in (pictures, reports))
    near = image @ text.T * objective.scale.exp().clamp(max=100)
    near = near.masked_fill(~(both[:, None] & both[None]), -1e4)
    each, back = (F.cross_entropy(way, torch.arange(9), reduction="none") for way in (near, near.T))
    expected = (0.5 * (each + back) * both).sum() / both.sum()
    assert torch.equal(objective(made(torch.zeros(9, 1), **sides), batch), expected)


def test_who_lacks_a_side_is_no_pair_and_no_rival(setting: Setting, batch: StudyBatch) -> None:
    objective = contrast(setting, 0.5)
    pooled = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.5, 0.5]])
    both = made(torch.zeros(2, 1), image=features(pooled[:2]), paired=features(pooled[2:]))
    alone = objective(both, batch)
    there = torch.tensor([True, True, False])
    pictures = torch.cat([pooled[:2], torch.tensor([[9.0, -9.0]])])
    reports = torch.cat([pooled[2:], torch.tensor([[9.0, -9.0]])])
    third = made(torch.zeros(3, 1), image=features(pictures), paired=features(reports, there))
    assert float(objective(third, batch)) == pytest.approx(float(alone), abs=1e-6)
    single = torch.tensor([True, False, False])
    one = made(torch.zeros(3, 1), image=features(pictures), paired=features(reports, single))
    assert float(objective(one, batch)) == 0.0


def test_links_by_hand(setting: Setting, batch: StudyBatch, monkeypatch: Any) -> None:
    objective = build("link_prediction", setting, width=4, edges=2)
    nodes = torch.randn(len(setting.graph.concepts), 4, generator=torch.Generator().manual_seed(2))
    draws = iter([torch.tensor([0, 9]), torch.tensor([11, 12])])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(draws))
    loss = float(objective(made(torch.zeros(1, 1), nodes=nodes), batch))
    ends, kinds, _, _ = graph_tensors(setting.graph)
    total = 0.0
    for edge, false in ((0, 11), (9, 12)):
        relation = objective.decoder.relations[kinds[edge]]
        subject, true = ends[:, edge].tolist()
        right = float((nodes[subject] * relation * nodes[true]).sum()) / 2  # sqrt of width 4
        wrong = float((nodes[subject] * relation * nodes[false]).sum()) / 2
        total += math.log1p(math.exp(-right)) + math.log1p(math.exp(wrong))
    assert loss == pytest.approx(total / 4, abs=1e-6)


@each_objective
def test_every_objective_is_a_finite_scalar_with_a_gradient(
    name: str, setting: Setting, batch: StudyBatch, classifier: Callable[..., KnowledgeClassifier]
) -> None:
    model = classifier()
    model.train()
    loss = build(name, setting)(model(batch), batch)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@each_objective
def test_every_objective_is_silent_where_nothing_is_stated(
    name: str, setting: Setting, batch: StudyBatch, classifier: Callable[..., KnowledgeClassifier]
) -> None:
    nothing = replace(
        batch,
        text=None,
        evidence=None,
        image_mask=torch.zeros_like(batch.image_mask),
        targets=torch.full_like(batch.targets, NAN),
        concept_targets=None,
        paired_text=None,
    )
    made_of = classifier()(nothing)
    loss = build(name, setting)(made_of, nothing)
    assert loss.isfinite()
    if name in ("classification", "concept_supervision", "contrast", "propagated_targets"):
        assert float(loss) == 0.0
