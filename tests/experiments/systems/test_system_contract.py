"""Every system: it learns, answers each finding on its own, and says what it cannot answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from encoders.batch import StudyBatch, Text
from experiments.config.load import read_config
from experiments.config.parts import check_parts
from experiments.systems import SYSTEMS
from experiments.systems._logistic import LogisticOptions, fit_logistic
from experiments.systems.text_baseline import pooled_text
from fusion.stage import Stage
from fusion.system import Setting, System
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph
from kg.options import parse_options

STUDIES, WORDS = 24, 6
each_system = pytest.mark.parametrize("name", SYSTEMS.names())
OPTIONS: dict[str, dict[str, Any]] = {"graph_fusion": {"width": 16}}


class Reader(nn.Module):
    """A text encoder of a few numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)

    def forward(self, words: Tensor, mask: Tensor, part: Tensor) -> Tensor:
        vectors: Tensor = self.table(words)
        return vectors


@pytest.fixture(scope="module")
def setting() -> Setting:
    names = [f"ckg:f{place}" for place in range(6)]
    book = (Evidence("a textbook", "curated", "asserted"),)
    graph = KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in names),
        (Edge(names[1], "is_a", names[0], book), Edge(names[2], "co_occurs_with", names[4], book)),
    )
    torch.manual_seed(0)
    return Setting(
        graph=graph,
        concept_vectors=torch.randn(6, 8),
        findings=tuple(names[:3]),
        supervised=(names[4],),
        image_width=4,
        image_tokens=3,
        text_width=8,
        text_encoder=Reader(),
        prevalence=(0.5, 0.2, 0.3),
        facts_width=3,
    )


@pytest.fixture(scope="module")
def batch(setting: Setting) -> StudyBatch:
    generator = torch.Generator().manual_seed(2)
    mask = torch.rand(STUDIES, WORDS, generator=generator) < 0.8
    words = torch.randint(1, 50, (STUDIES, WORDS), generator=generator)
    tokens = torch.randn(STUDIES, 2, 3, 4, generator=generator)
    targets = (tokens[:, 0, 0, :3] > 0).float()
    targets[3, 1] = float("nan")
    coded = torch.zeros(STUDIES, 6)
    kinds = torch.zeros(STUDIES, 2, dtype=torch.long)
    text = Text(words * mask, None, mask, torch.zeros_like(words))
    return StudyBatch(
        ids=tuple(map(str, range(STUDIES))),
        pixels=None,
        image_tokens=tokens,
        image_mask=torch.tensor([[True, True], [True, False]]).repeat(STUDIES // 2, 1),
        view=kinds,
        modality=kinds,
        text=text,
        evidence=coded,
        targets=targets,
        concept_targets=coded,
        facts=torch.randn(STUDIES, 3, generator=generator),
        paired_text=text,
    )


@pytest.fixture(scope="module")
def build(setting: Setting, batch: StudyBatch) -> Callable[..., System]:
    def make(name: str, given: Setting | None = None, **options: Any) -> System:
        torch.manual_seed(1)
        part = SYSTEMS.load(name)
        chosen = parse_options(part.Options, {**OPTIONS.get(name, {}), **options}, where=name)
        system: System = part(chosen, given or setting, ())
        system.prepare([batch])
        return system.eval()

    return make


@each_system
@torch.no_grad()
def test_an_answer_is_a_findings_own(
    build: Callable[..., System], setting: Setting, batch: StudyBatch, name: str
) -> None:
    system = build(name)
    whole = system.predict(batch, setting.findings).logits
    assert whole.shape == (STUDIES, 3)
    assert whole.isfinite().all()
    for place, finding in enumerate(setting.findings):
        alone = system.predict(batch, (finding,)).logits[:, 0]
        torch.testing.assert_close(alone, whole[:, place], atol=1e-5, rtol=1e-5)
    turned = system.predict(batch, setting.findings[::-1]).logits
    torch.testing.assert_close(turned, whole.flip(1), atol=1e-5, rtol=1e-5)


@each_system
@torch.no_grad()
def test_it_says_what_it_cannot_answer(
    build: Callable[..., System], setting: Setting, batch: StudyBatch, name: str
) -> None:
    system = build(name)
    asked = (setting.findings[1], "ckg:nowhere", "ckg:f5", setting.findings[0])
    made = system.predict(batch, asked)
    known = system.predict(batch, setting.findings[:2]).logits
    torch.testing.assert_close(made.logits[:, [3, 0]], known, atol=1e-5, rtol=1e-5)
    for place, finding in enumerate(asked):
        basis = system.basis(finding)
        assert basis in ("trained", "zero_shot", "not_possible")
        assert (basis == "trained") == (finding in setting.findings)
        assert made.logits[:, place].isnan().all() == (basis == "not_possible")
    for weights in (*made.attention.values(), *([] if made.gates is None else [made.gates])):
        assert weights.shape[:2] == made.logits.shape
        assert not weights[:, 1].any()
    assert system.predict(batch, ()).logits.shape == (STUDIES, 0)


@each_system
def test_losses_are_scalars_of_the_stages_objectives(
    build: Callable[..., System], batch: StudyBatch, name: str
) -> None:
    system = build(name).train()
    for stage in system.stages:
        losses = system.losses(batch, stage)
        assert set(losses) == set(stage.objectives)
        assert all(loss.shape == () and bool(loss.isfinite()) for loss in losses.values())


def test_an_untrained_concept_is_zero_shot_with_given_vectors_alone(
    build: Callable[..., System], batch: StudyBatch
) -> None:
    given, learned = build("graph_fusion"), build("graph_fusion", vectors="learned")
    assert given.basis("ckg:f5") == "zero_shot"
    assert given.predict(batch, ("ckg:f5",)).logits.isfinite().all()
    assert learned.basis("ckg:f5") == "not_possible"
    assert learned.predict(batch, ("ckg:f5",)).logits.isnan().all()
    assert learned.basis("ckg:f1") == "trained"


def test_what_a_finding_remembers_is_in_the_order_of_its_attention(
    build: Callable[..., System], batch: StudyBatch
) -> None:
    system = build("graph_fusion")
    remembered = system.remembered("ckg:f1")
    assert remembered == ("ckg:f1", "ckg:f0")
    weights = system.predict(batch, ("ckg:f1",)).attention["memory"][0, 0]
    assert (weights[: len(remembered)] > 0).all()
    assert not weights[len(remembered) :].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objectives": {"contrast": {"temprature": 1.0}}}, "temprature"),
        ({"objectives": {"contrst": {}}}, "contrst"),
        ({"widht": 16}, "widht"),
        ({"join": {"name": "concat", "options": {"heads": 2}}}, "heads"),
    ],
)
def test_a_wrong_option_is_refused_by_name(
    build: Callable[..., System], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        build("graph_fusion", **options)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("logistic_metadata", {"facts_width": 0}),
        ("logistic_image", {"image_width": 0}),
        ("logistic_text", {"text_encoder": None}),
        ("text_baseline", {"text_width": 0}),
    ],
)
def test_a_baseline_without_what_it_reads_is_refused(
    build: Callable[..., System], setting: Setting, name: str, lacks: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        build(name, replace(setting, **lacks))
    assert caught.value.hint


@pytest.mark.parametrize("standardise", [False, True])
def test_the_line_is_the_one_scikit_learn_fits(standardise: bool) -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(2.0, 3.0, (60, 5)).astype(np.float32)
    targets = (features[:, :2] + rng.normal(0, 2, (60, 2)) > 2).astype(np.float32)
    targets[:20, 1] = np.nan
    options = LogisticOptions(strength=0.5, standardise=standardise)
    line = nn.Linear(5, 2)
    fit_logistic(line, torch.from_numpy(features), torch.from_numpy(targets), options)
    scaled = features.astype(np.float64)
    if standardise:
        scaled = (scaled - scaled.mean(0)) / scaled.std(0, ddof=1)
    for place, rows in enumerate((slice(None), slice(20, None))):
        plain = LogisticRegression(C=0.5, class_weight="balanced", max_iter=2000)
        plain.fit(scaled[rows], targets[rows, place])
        ours = line(torch.from_numpy(features))[:, place].detach().numpy()
        np.testing.assert_allclose(ours, plain.decision_function(scaled), atol=5e-3)


def test_a_finding_of_one_class_is_a_constant() -> None:
    line = nn.Linear(3, 1)
    fit_logistic(line, torch.randn(8, 3), torch.zeros(8, 1), LogisticOptions())
    assert not line.weight.any()


def test_stages_of_the_configuration_are_the_systems(setting: Setting) -> None:
    part = SYSTEMS.load("graph_fusion")
    stages = (Stage(objectives={"classification": 1.0}), Stage(objectives={"hierarchy": 1.0}))
    system = part(part.Options(width=16), setting, stages)
    assert system.stages == stages
    assert set(system.objectives) == {"classification", "hierarchy"}


def test_text_is_pooled_over_its_words_alone() -> None:
    tokens = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [9.0, 9.0]], [[5.0, 5.0]] * 3])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    pooled = {pool: pooled_text(tokens, mask, pool) for pool in ("first", "mean", "max", "ends")}
    assert {pool: made[0].tolist() for pool, made in pooled.items()} == {
        "first": [1.0, -4.0],
        "mean": [2.0, -3.0],
        "max": [3.0, -2.0],
        "ends": [3.0, -4.0],
    }
    assert not any(made[1].any() for made in pooled.values())


@pytest.mark.parametrize(
    ("name", "loss"), [("text_baseline_openi_redacted", "contrast"), ("demo", "contrst")]
)
def test_a_loss_the_system_has_not_is_refused_by_name(name: str, loss: str) -> None:
    found = read_config(name, [f"stages.0.objectives.{loss}=1"])
    with pytest.raises(InputError, match=f"has no loss '{loss}'") as caught:
        check_parts(found.experiment, found.places)
    assert "stages.0.objectives" in caught.value.message
    assert caught.value.hint
