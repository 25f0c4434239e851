"""The systems of this project and its baselines: what each of them promises beyond the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from encoders.batch import StudyBatch, Text
from experiments.config.load import read_config
from experiments.config.parts import check_parts
from experiments.systems import SYSTEMS
from experiments.systems._logistic import LogisticOptions, fit_logistic
from experiments.systems.text_baseline import pooled_text
from fusion.needs import NO_NEEDS
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import make_setting

Build = Callable[..., tuple[System, StudyBatch]]


def test_an_untrained_concept_is_zero_shot_with_given_vectors_alone(
    build: Build,
) -> None:
    given, batch = build("graph_fusion")
    learned, _ = build("graph_fusion", options={"vectors": "learned"})
    assert given.basis("ckg:f5") == "zero_shot"
    assert given.predict(batch, ("ckg:f5",)).logits.isfinite().all()
    assert learned.basis("ckg:f5") == "not_possible"
    assert learned.predict(batch, ("ckg:f5",)).logits.isnan().all()
    assert learned.basis("ckg:f1") == "trained"


def test_what_a_finding_remembers_is_in_the_order_of_its_attention(
    build: Build,
) -> None:
    system, batch = build("graph_fusion")
    neighbours = system.neighbours("ckg:f1")
    assert neighbours == ("ckg:f1", "ckg:f0")
    weights = system.predict(batch, ("ckg:f1",)).attention["memory"][0, 0]
    assert (weights[: len(neighbours)] > 0).all()
    assert not weights[len(neighbours) :].any()


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
    build: Build, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        build("graph_fusion", options=options)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("logistic_metadata", {"facts_width": 0}),
        ("logistic_image", {"image_width": 0}),
        ("logistic_text", {"text_encoder": None}),
        ("text_baseline", {"text_width": 0}),
        ("linear_probe", {"image_width": 0}),
        ("convirt", {"image_width": 0}),
        ("convirt", {"text_width": 0, "text_encoder": None}),
    ],
)
def test_a_baseline_without_what_it_reads_is_refused(
    build: Build, name: str, lacks: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        build(name, lacks=lacks)
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


def test_metadata_that_a_configuration_names_stand_beside_the_pictures(build: Build) -> None:
    both, batch = build("logistic_image")
    alone, _ = build("logistic_image", lacks={"facts_width": 0})
    features = both.features(batch)
    assert batch.metadata is not None
    torch.testing.assert_close(features[:, -3:], batch.metadata)
    torch.testing.assert_close(features[:, :-3], alone.features(batch))
    with pytest.raises(ValueError, match="no metadata"):
        both.features(replace(batch, metadata=None))


def test_a_finding_of_one_class_is_a_constant() -> None:
    line = nn.Linear(3, 1)
    fit_logistic(line, torch.randn(8, 3), torch.zeros(8, 1), LogisticOptions())
    assert not line.weight.any()


def test_stages_of_the_configuration_are_the_systems() -> None:
    part = SYSTEMS.load("graph_fusion")
    stages = (Stage(objectives={"classification": 1.0}), Stage(objectives={"hierarchy": 1.0}))
    system = part(part.Options(width=16), make_setting(NO_NEEDS), stages)
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


def test_a_prompt_is_answered_by_what_the_picture_is_nearer_to(build: Build) -> None:
    system, batch = build("convirt")
    texts: list[Text] = []
    system.text_tower.register_forward_pre_hook(lambda _, given: texts.append(given[0]))
    logits = system.predict(batch, ("ckg:f5",)).logits[:, 0]
    positive, negative = system.embed_text(texts[0])
    vectors = system.embed_image(batch)
    wanted = (vectors @ positive - vectors @ negative) / system.options.temperature
    torch.testing.assert_close(logits, wanted)


def test_a_finding_is_prompted_by_its_name_in_the_graph(build: Build) -> None:
    system, batch = build("convirt")
    read: list[str] = []
    encoder: Any = system.setting.text_encoder
    tokenize = encoder.tokenize
    encoder.tokenize = lambda texts: (
        read.extend(passages[0].text for passages in texts),
        tokenize(texts),
    )[1]
    system.predict(batch, ("ckg:f5", "ckg:f0"))
    names = [system.setting.graph.concept(name).label for name in ("ckg:f5", "ckg:f0")]
    assert read == [*names, *(f"no {name}" for name in names)]


def test_a_fine_tuned_tower_answers_for_its_findings_alone(build: Build) -> None:
    system, batch = build("convirt, fine-tuned")
    assert system.basis("ckg:f0") == "trained"
    trained = system.predict(batch, ("ckg:f0",)).logits
    assert torch.equal(trained, system.head(system.image_tower(batch).pooled)[:, :1])


def test_a_run_without_text_embeds_nothing(build: Build) -> None:
    nothing = {"text_width": 0, "text_encoder": None}
    system, batch = build("convirt, fine-tuned", lacks=nothing)
    with pytest.raises(InputError, match="no text to pair with the images"):
        system.embed_image(batch)


def test_a_probe_never_moves_its_tower(build: Build) -> None:
    system, batch = build("linear_probe")
    assert not system.train().image_tower.training
    before = system.predict(batch, ("ckg:f0",)).logits
    assert torch.equal(system.eval().predict(batch, ("ckg:f0",)).logits, before)
    learnt = [name for name, one in system.named_parameters() if one.requires_grad]
    assert learnt == ["line.weight", "line.bias"]
